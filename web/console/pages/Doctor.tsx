import { Accordion, Button, Code, Paper, Table, Text } from "@mantine/core"
import { IconRefresh, IconStethoscope } from "@tabler/icons-react"
import { Page } from "../../shared/components/Page"
import tables from "../../shared/components/Table.module.css"
import { useFormat } from "../../shared/hooks/preferences"
import type { Failure } from "../api/client"
import { useFailures } from "../app/queries"
import { Age } from "../components/Age"
import { Empty, Waiting } from "../components/Empty"
import { QueryProblem } from "../components/QueryProblem"
import classes from "./Doctor.module.css"

export function Doctor() {
  const failures = useFailures()
  const list = failures.data?.failures
  return (
    <Page
      title="Doctor"
      description="Failed requests of the base protocol, field by field: what was received, which rule it broke, and the usual cause."
      actions={
        <Button
          variant="default"
          leftSection={<IconRefresh size={17} aria-hidden />}
          loading={failures.isFetching}
          onClick={() => failures.refetch()}
        >
          Refresh
        </Button>
      }
    >
      <div className="stack">
        <QueryProblem query={failures} />
        {!list ? (
          !failures.problem && (
            <Paper>
              <Waiting />
            </Paper>
          )
        ) : list.length === 0 ? (
          <Paper>
            <Empty
              icon={IconStethoscope}
              title="No request has failed"
              description="When a client breaks the protocol, its request is shown here, without content."
            />
          </Paper>
        ) : (
          <Accordion variant="separated" radius="lg" multiple classNames={classes}>
            {list.map((failure, i) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: two may have failed at one moment
              <Row key={`${failure.at}-${i}`} failure={failure} value={`${failure.at}-${i}`} />
            ))}
          </Accordion>
        )}
      </div>
    </Page>
  )
}

function Row(props: { failure: Failure; value: string }) {
  const { failure } = props
  const format = useFormat()
  return (
    <Accordion.Item value={props.value}>
      <Accordion.Control>
        <span className={classes.head}>
          <span className={classes.request}>{failure.request}</span>
          <span className={classes.reason}>{failure.reason}</span>
          <Age at={failure.at} className={classes.age} />
        </span>
      </Accordion.Control>
      <Accordion.Panel>
        <dl className={classes.facts}>
          <dt>What broke</dt>
          <dd>{failure.rule}</dd>
          <dt>Usually</dt>
          <dd>{failure.usually}</dd>
          <dt>From</dt>
          <dd>
            {failure.peer}
            {failure.client && (
              <>
                , client <Code>{failure.client}</Code>
              </>
            )}
            , after {format.count(failure.requests_before, "request", "requests")} on this
            connection, {format.date(new Date(failure.at))}
          </dd>
        </dl>
        {failure.fields.length > 0 && (
          <Table.ScrollContainer
            minWidth={300}
            mt="md"
            scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}
          >
            <Table
              className={`${tables.table} ${classes.fields}`}
              aria-label={`Fields of ${failure.request}`}
            >
              <Table.Thead>
                <Table.Tr>
                  <Table.Th w="4.5rem">Offset</Table.Th>
                  <Table.Th w="35%">Bytes</Table.Th>
                  <Table.Th>Meaning</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {failure.fields.map((field) => (
                  <Table.Tr key={field.offset}>
                    <Table.Td>{field.offset}</Table.Td>
                    <Table.Td className={classes.bytes}>{field.bytes}</Table.Td>
                    <Table.Td>{field.meaning}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        )}
        <Text size="xs" c="dimmed" mt="sm">
          Content, keys and ids are masked.
        </Text>
      </Accordion.Panel>
    </Accordion.Item>
  )
}
