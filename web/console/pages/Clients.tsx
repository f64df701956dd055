import { Group, NativeSelect, Pagination, Paper, Table, Text } from "@mantine/core"
import { useDebouncedValue } from "@mantine/hooks"
import { IconSearch, IconSearchOff, IconUsers } from "@tabler/icons-react"
import { Link, useNavigate, useSearch } from "@tanstack/react-router"
import { useState } from "react"
import { ClearableInput } from "../../shared/components/ClearableInput"
import { Page } from "../../shared/components/Page"
import { SortHeading } from "../../shared/components/SortHeading"
import tables from "../../shared/components/Table.module.css"
import { useFormat } from "../../shared/hooks/preferences"
import type { ClientOfServer } from "../api/client"
import { useClients } from "../app/queries"
import type { ClientSearch, ClientSort } from "../app/search"
import { Age } from "../components/Age"
import { ClientState, keyOf } from "../components/ClientState"
import { Empty, Waiting } from "../components/Empty"
import { LookAlike } from "../components/LookAlike"
import { QueryProblem } from "../components/QueryProblem"
import classes from "./Clients.module.css"

const perPage = 50

export function Clients() {
  const asked = useSearch({ from: "/framed/clients" })
  const { search, sort = "last_seen", page = 1 } = asked
  const descending = asked.descending ?? sort !== "name"
  const navigate = useNavigate()
  const format = useFormat()
  const [searched] = useDebouncedValue(search, 150)
  const clients = useClients({
    search: searched,
    sort,
    descending,
    offset: (page - 1) * perPage,
    limit: perPage,
  })
  const [typed, setTyped] = useState(search ?? "")

  // What is listed is in the address: going back and reloading find it again.
  const show = (change: ClientSearch) =>
    navigate({ to: "/clients", search: { ...asked, page: undefined, ...change }, replace: true })
  function type(words: string) {
    setTyped(words)
    show({ search: words || undefined })
  }

  function sortBy(by: ClientSort) {
    show({ sort: by, descending: by === sort ? !descending : by !== "name" })
  }

  const { data } = clients
  const pages = Math.max(1, Math.ceil((data?.total ?? 0) / perPage))
  const order = { by: sort, descending }
  return (
    <Page
      title="Clients"
      description="Everyone with an account on this server. Client ids are secret, so each is shown as a fingerprint."
    >
      <div className="stack">
        <QueryProblem query={clients} />
        <Paper className={tables.card}>
          <Group className={tables.tools} justify="space-between">
            <ClearableInput
              className={tables.search}
              aria-label="Search by name or fingerprint"
              placeholder="Search by name or fingerprint"
              leftSection={<IconSearch size={17} aria-hidden />}
              clearLabel="Clear the search"
              value={typed}
              onChange={type}
            />
            <NativeSelect
              className={tables.sort}
              aria-label="Sort by"
              value={`${sort} ${descending}`}
              onChange={(e) => {
                const [by, descending] = e.currentTarget.value.split(" ")
                show({ sort: by as ClientSort, descending: descending === "true" })
              }}
              data={[
                { value: "last_seen true", label: "Seen last first" },
                { value: "last_seen false", label: "Not seen for longest" },
                { value: "name false", label: "By name" },
                { value: "name true", label: "By name, backwards" },
                { value: "bytes true", label: "Most stored first" },
                { value: "files true", label: "Most files first" },
                { value: "created true", label: "Newest first" },
              ]}
            />
            <Text size="sm" c="dimmed" role="status" className={tables.matches}>
              {data &&
                (search
                  ? format.count(data.total, "client matches", "clients match")
                  : format.count(data.total, "client", "clients"))}
            </Text>
          </Group>
          {!data ? (
            <Waiting rows={6} />
          ) : data.clients.length === 0 ? (
            search ? (
              <Empty
                icon={IconSearchOff}
                title={`No client is called like “${search}”`}
                description="The search covers names and the beginnings of fingerprints."
              />
            ) : (
              <Empty
                icon={IconUsers}
                title="Nobody has registered yet"
                description="Clients appear here when they register, from the command line, the web client or another program."
              />
            )
          ) : (
            <Table
              className={`${tables.table} ${tables.list}`}
              verticalSpacing={7}
              highlightOnHover
            >
              <Table.Thead>
                <Table.Tr>
                  <SortHeading column="name" sort={order} onSort={sortBy}>
                    Name
                  </SortHeading>
                  <SortHeading
                    column="last_seen"
                    sort={order}
                    onSort={sortBy}
                    className={classes.date}
                  >
                    Last seen
                  </SortHeading>
                  <SortHeading
                    column="files"
                    sort={order}
                    onSort={sortBy}
                    className={classes.number}
                    end
                  >
                    Files
                  </SortHeading>
                  <SortHeading
                    column="bytes"
                    sort={order}
                    onSort={sortBy}
                    className={classes.number}
                    end
                  >
                    Stored
                  </SortHeading>
                  <Table.Th className={classes.key}>Key</Table.Th>
                  <Table.Th className={classes.state}>State</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {data.clients.map((client) => (
                  <Row key={client.name} client={client} />
                ))}
              </Table.Tbody>
            </Table>
          )}
          {pages > 1 && (
            <Group className={tables.paging} justify="space-between">
              <Text size="sm" c="dimmed">
                {format.number((page - 1) * perPage + 1)}–
                {format.number(Math.min(page * perPage, data?.total ?? 0))} of{" "}
                {format.number(data?.total ?? 0)}
              </Text>
              <Pagination
                size="sm"
                total={pages}
                value={Math.min(page, pages)}
                onChange={(page) => show({ page: page > 1 ? page : undefined })}
                getControlProps={(control) => ({
                  "aria-label": control === "next" ? "Next page" : "Previous page",
                })}
              />
            </Group>
          )}
        </Paper>
      </div>
    </Page>
  )
}

function Row(props: { client: ClientOfServer }) {
  const { client } = props
  const format = useFormat()
  return (
    <Table.Tr>
      <Table.Td className={tables.nameCell}>
        <Link to="/clients/$name" params={{ name: client.name }} className={classes.name}>
          {client.name}
        </Link>
        <span className={classes.fingerprint}>{client.fingerprint}</span>
        <LookAlike client={client} />
        <span className={tables.under}>
          {format.bytes(client.bytes)} · <Age at={client.last_seen} />
        </span>
      </Table.Td>
      <Table.Td className={classes.date}>
        <Age at={client.last_seen} />
      </Table.Td>
      <Table.Td className={classes.number}>{format.number(client.files)}</Table.Td>
      <Table.Td className={classes.number}>{format.bytes(client.bytes)}</Table.Td>
      <Table.Td className={classes.key}>{keyOf(client)}</Table.Td>
      <Table.Td className={classes.state}>
        <ClientState client={client} />
      </Table.Td>
    </Table.Tr>
  )
}
