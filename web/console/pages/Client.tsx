import { Button, Code, DataList, Group, Table } from "@mantine/core"
import { notifications } from "@mantine/notifications"
import {
  IconActivity,
  IconCircleCheckFilled,
  IconFiles,
  IconLockAccess,
  IconLogout,
  IconPlayerPause,
  IconPlayerPlay,
  IconTrash,
  IconUserQuestion,
} from "@tabler/icons-react"
import { useQueryClient } from "@tanstack/react-query"
import { Link, useNavigate, useParams } from "@tanstack/react-router"
import { type ReactNode, useState } from "react"
import { FileName } from "../../shared/components/FileName"
import { Page } from "../../shared/components/Page"
import { ProblemAlert } from "../../shared/components/ProblemAlert"
import { Section } from "../../shared/components/Section"
import tables from "../../shared/components/Table.module.css"
import { formatChecksum } from "../../shared/format"
import { useFormat } from "../../shared/hooks/preferences"
import { useAction } from "../../shared/hooks/useAction"
import { CallError, type ClientOfServer } from "../api/client"
import { useConsole } from "../app/console"
import { useActivities, useClient, useFiles } from "../app/queries"
import { formats } from "../app/words"
import { ActivityList, worked } from "../components/ActivityList"
import { Age } from "../components/Age"
import { ClientState, keyOf } from "../components/ClientState"
import { Confirm } from "../components/Confirm"
import { Empty, Waiting } from "../components/Empty"
import { LookAlike } from "../components/LookAlike"
import { More } from "../components/More"
import { QueryProblem } from "../components/QueryProblem"
import classes from "./Client.module.css"

export function Client() {
  const { name } = useParams({ from: "/framed/clients/$name" })
  const client = useClient(name)
  const gone = client.error instanceof CallError && client.error.status === 404
  if (gone) {
    return (
      <Page title={name}>
        <Empty
          icon={IconUserQuestion}
          title="There is no such client"
          description="It was removed or never existed."
        >
          <Button component={Link} to="/clients" mt="md">
            To all clients
          </Button>
        </Empty>
      </Page>
    )
  }
  return (
    <Page
      title={name}
      description={
        client.data && (
          <Group component="span" gap="sm">
            <ClientState client={client.data} />
            <LookAlike client={client.data} />
          </Group>
        )
      }
      actions={client.data && <Actions client={client.data} />}
    >
      <div className="stack">
        <QueryProblem query={client} />
        <Facts client={client.data} />
        <Files name={name} />
        <ActivityOf name={name} />
      </div>
    </Page>
  )
}

type Asked = "end-session" | "suspend" | "base" | "remove"

function Actions(props: { client: ClientOfServer }) {
  const { client } = props
  const { name } = client
  const { api } = useConsole()
  const queries = useQueryClient()
  const navigate = useNavigate()
  const format = useFormat()
  const [asked, setAsked] = useState<Asked>()
  const close = () => setAsked(undefined)

  const fresh = () =>
    Promise.all(
      [["client", name], ["clients"]].map((queryKey) => queries.invalidateQueries({ queryKey })),
    )

  const resume = useAction(async () => {
    await api.resume(name)
    await fresh()
    notifications.show({ color: "green", title: "Resumed", message: `${name} is served again.` })
  })

  return (
    <>
      <Button
        variant="default"
        leftSection={<IconLogout size={17} aria-hidden />}
        disabled={!client.session}
        onClick={() => setAsked("end-session")}
      >
        End session
      </Button>
      {client.suspended ? (
        <Button
          variant="default"
          leftSection={<IconPlayerPlay size={17} aria-hidden />}
          loading={resume.busy}
          onClick={resume.run}
        >
          Resume
        </Button>
      ) : (
        <Button
          variant="default"
          leftSection={<IconPlayerPause size={17} aria-hidden />}
          onClick={() => setAsked("suspend")}
        >
          Suspend
        </Button>
      )}
      <Button
        variant="default"
        leftSection={<IconLockAccess size={17} aria-hidden />}
        onClick={() => setAsked("base")}
      >
        {client.base_open ? "Close to base clients" : "Open to base clients"}
      </Button>
      <Button
        variant="light"
        color="red"
        leftSection={<IconTrash size={17} aria-hidden />}
        onClick={() => setAsked("remove")}
      >
        Remove
      </Button>
      {resume.problem && <ProblemAlert problem={resume.problem} />}

      <Confirm
        opened={asked === "end-session"}
        title="End this session?"
        keep="Leave it"
        action="End session"
        harmless
        onClose={close}
        onConfirm={async () => {
          await api.endSession(name)
          await fresh()
        }}
      >
        <b>{name}</b> must sign in again and gets a new session key. Stored files are not affected.
      </Confirm>
      <Confirm
        opened={asked === "suspend"}
        title="Suspend this client?"
        keep="Leave it"
        action="Suspend"
        onClose={close}
        onConfirm={async () => {
          await api.suspend(name)
          await fresh()
        }}
      >
        All requests from <b>{name}</b> will be refused, including on open connections. Its files
        stay. Resume the client to serve it again.
      </Confirm>
      <Confirm
        opened={asked === "base"}
        title={client.base_open ? "Refuse base requests?" : "Accept base requests?"}
        keep="Leave it"
        action={client.base_open ? "Close" : "Open"}
        harmless={client.base_open}
        onClose={close}
        onConfirm={async () => {
          await api.setBaseAccess(name, !client.base_open)
          await fresh()
        }}
      >
        {client.base_open ? (
          <>
            The C++ client can no longer back up as <b>{name}</b>. The command line and the web
            client go on.
          </>
        ) : (
          <>
            The C++ client can back up as <b>{name}</b>. Anyone who sees its id in network traffic
            can try to as well: the id alone authorizes base requests.
          </>
        )}
      </Confirm>
      <Confirm
        opened={asked === "remove"}
        title="Remove this client?"
        typed={name}
        keep="Keep it"
        action="Remove for good"
        onClose={close}
        onConfirm={async () => {
          await api.removeClient(name)
          await navigate({ to: "/clients" })
          await queries.invalidateQueries({ queryKey: ["clients"] })
          notifications.show({
            title: "Client removed",
            message: `${name} and all its files are gone from the server.`,
          })
        }}
      >
        <b>{name}</b>, its key and{" "}
        {client.files > 0
          ? `${format.count(client.files, "file", "files")} in ${format.count(client.versions, "version", "versions")} (${format.bytes(client.bytes)})`
          : "its account"}{" "}
        will be deleted from the server. This cannot be undone.
      </Confirm>
    </>
  )
}

const kindsOfClient: Record<string, string> = {
  cpp_client: "C++ client",
  web_client: "Web client",
  api_client: "Other program",
}

function Facts(props: { client: ClientOfServer | undefined }) {
  const { client } = props
  const format = useFormat()
  return (
    <Section title="Account">
      {!client ? (
        <Waiting />
      ) : (
        <div className={classes.facts}>
          <DataList size="sm" gap={6} labelWidth="9rem">
            <Fact label="Fingerprint">
              <Code>{client.fingerprint}</Code>
            </Fact>
            <Fact label="Last seen">
              <Age at={client.last_seen} />
            </Fact>
            <Fact label="Registered">{format.date(new Date(client.created))}</Fact>
            <Fact label="Registered as">
              {kindsOfClient[client.kind] ?? (client.kind || "Unknown")}
            </Fact>
            <Fact label="Session">
              {client.session_ends ? (
                <>Until {format.date(new Date(client.session_ends))}, longer if it is used</>
              ) : (
                "None"
              )}
            </Fact>
          </DataList>
          <DataList size="sm" gap={6} labelWidth="9rem">
            <Fact label="Files">
              {format.number(client.files)} in{" "}
              {format.count(client.versions, "version", "versions")}
            </Fact>
            <Fact label="Verified">
              {client.verified === client.versions
                ? "Every version"
                : `${format.number(client.verified)} of ${format.number(client.versions)}`}
            </Fact>
            <Fact label="Stored">{format.bytes(client.bytes)}</Fact>
            <Fact label="Key">{keyOf(client)}</Fact>
            <Fact label="Uploads in progress">{format.number(client.uploads)}</Fact>
          </DataList>
        </div>
      )}
    </Section>
  )
}

function Fact(props: { label: string; children: ReactNode }) {
  return (
    <DataList.Item>
      <DataList.ItemLabel>{props.label}</DataList.ItemLabel>
      <DataList.ItemValue>{props.children}</DataList.ItemValue>
    </DataList.Item>
  )
}

function Files(props: { name: string }) {
  const files = useFiles(props.name)
  const format = useFormat()
  const rows = files.data?.pages.flatMap((page) => page.files)
  return (
    <Section flush title="Files" description="By name, newest version first.">
      {files.problem && (
        <div className={classes.problem}>
          <QueryProblem query={files} />
        </div>
      )}
      {!rows ? (
        !files.problem && <Waiting />
      ) : rows.length === 0 ? (
        <Empty
          icon={IconFiles}
          title="Nothing is stored"
          description="Files appear here when an upload has finished."
        />
      ) : (
        <Table className={`${tables.table} ${tables.list}`} verticalSpacing={8}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Name</Table.Th>
              <Table.Th className={classes.number}>Version</Table.Th>
              <Table.Th className={classes.number}>Stored</Table.Th>
              <Table.Th className={classes.kind}>Content</Table.Th>
              <Table.Th className={classes.date}>Received</Table.Th>
              <Table.Th className={classes.state}>State</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((file) => (
              <Table.Tr key={`${file.name}\0${file.version}`}>
                <Table.Td className={tables.nameCell}>
                  <FileName name={file.name} />
                  <span className={tables.under}>
                    version {file.version} · {format.bytes(file.bytes)} · <Age at={file.created} />
                  </span>
                </Table.Td>
                <Table.Td className={classes.number}>{format.number(file.version)}</Table.Td>
                <Table.Td
                  className={classes.number}
                  title={`${format.bytes(file.original_bytes)} before it was encrypted; checksum ${formatChecksum(Number(file.checksum))}`}
                >
                  {format.bytes(file.bytes)}
                </Table.Td>
                <Table.Td className={classes.kind}>{formats[file.format]}</Table.Td>
                <Table.Td className={classes.date}>
                  <Age at={file.created} />
                </Table.Td>
                <Table.Td className={classes.state}>
                  {file.verified ? (
                    <Group gap={6} wrap="nowrap">
                      <IconCircleCheckFilled size={16} color="var(--coffer-good)" aria-hidden />
                      Verified
                    </Group>
                  ) : (
                    "Not confirmed"
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      <More query={files} />
    </Section>
  )
}

function ActivityOf(props: { name: string }) {
  const { activities, ...query } = useActivities({ client: props.name, limit: 20 })
  return (
    <Section flush title="Activity">
      {query.problem && (
        <div className={classes.problem}>
          <QueryProblem query={query} />
        </div>
      )}
      {!activities ? (
        !query.problem && <Waiting />
      ) : activities.length === 0 ? (
        <Empty
          icon={IconActivity}
          title="No activity"
          description="The server keeps the latest activities of all clients. This client’s were older."
        />
      ) : (
        <ActivityList activities={worked(activities)} withoutClient />
      )}
      <More query={query} />
    </Section>
  )
}
