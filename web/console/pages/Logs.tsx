import { Button, Group, NativeSelect, Paper, Switch, TextInput } from "@mantine/core"
import { useDebouncedValue } from "@mantine/hooks"
import { IconDownload, IconSearch, IconTerminal2, IconUser } from "@tabler/icons-react"
import { useNavigate, useSearch } from "@tanstack/react-router"
import { Fragment, memo, useState } from "react"
import { Page } from "../../shared/components/Page"
import { useFormat } from "../../shared/hooks/preferences"
import type { LogLevel, LogRecord } from "../api/client"
import { useLive } from "../app/console"
import { parameters, useLogTail } from "../app/logTail"
import { useLogs } from "../app/queries"
import type { LogSearch } from "../app/search"
import { levels } from "../app/words"
import { Empty, Waiting } from "../components/Empty"
import { More } from "../components/More"
import { QueryProblem } from "../components/QueryProblem"
import filters from "./Filters.module.css"
import classes from "./Logs.module.css"

export function Logs() {
  const filter = useSearch({ from: "/framed/logs" })
  const navigate = useNavigate()
  const [client, setClient] = useState(filter.client ?? "")
  const [text, setText] = useState(filter.text ?? "")
  const [following, setFollowing] = useState(true)
  // A connection that failed is not made anew by the browser: this one follows the page's.
  const live = useLive((live) => live.state === "live")
  const [searched] = useDebouncedValue(filter, 250)
  const query = useLogs(searched)
  const fresh = useLogTail(searched, following && live)

  const show = (change: LogSearch) =>
    navigate({ to: "/logs", search: (now) => ({ ...now, ...change }), replace: true })

  const listed = query.data?.pages.flatMap((page) => page.records)
  const newest = listed?.[0]?.id ?? 0
  const records = listed && [...fresh.filter((record) => record.id > newest), ...listed]
  const filtered = filter.client ?? filter.text ?? filter.level
  return (
    <Page
      title="Logs"
      description="The server’s last 10,000 log records, newest first."
      actions={
        <Button
          component="a"
          href={`/api/logs/download?${parameters(filter)}`}
          download
          variant="default"
          leftSection={<IconDownload size={17} aria-hidden />}
        >
          Download
        </Button>
      }
    >
      <div className="stack">
        <QueryProblem query={query} />
        <Paper className={filters.card}>
          <Group className={filters.tools} gap="sm">
            <TextInput
              className={filters.words}
              aria-label="Search the text"
              placeholder="Search the text"
              leftSection={<IconSearch size={17} aria-hidden />}
              value={text}
              onChange={(e) => {
                setText(e.currentTarget.value)
                show({ text: e.currentTarget.value || undefined })
              }}
            />
            <TextInput
              className={classes.client}
              aria-label="Client"
              placeholder="Client"
              leftSection={<IconUser size={17} aria-hidden />}
              value={client}
              onChange={(e) => {
                setClient(e.currentTarget.value)
                show({ client: e.currentTarget.value || undefined })
              }}
            />
            <NativeSelect
              aria-label="Level"
              value={filter.level ?? ""}
              onChange={(e) =>
                show({ level: (e.currentTarget.value || undefined) as LogLevel | undefined })
              }
              data={[
                { value: "", label: "Every level" },
                { value: "info", label: "Info and above" },
                { value: "warn", label: "Warnings and errors" },
                { value: "error", label: "Errors" },
              ]}
            />
            <Switch
              className={filters.push}
              label="Follow"
              checked={following}
              onChange={(e) => setFollowing(e.currentTarget.checked)}
            />
          </Group>
          <div className={filters.list}>
            {!records ? (
              !query.problem && <Waiting rows={10} />
            ) : records.length === 0 ? (
              <Empty
                icon={IconTerminal2}
                title={filtered ? "No record matches" : "Nothing is logged yet"}
                description={
                  filtered
                    ? "Choose another level, client or text. New matching records appear here."
                    : "Records appear here as the server writes them."
                }
              />
            ) : (
              <ol className={classes.records} aria-label="Log records">
                {records.map((record) => (
                  <Row key={record.id} record={record} />
                ))}
              </ol>
            )}
            <More query={query} />
          </div>
        </Paper>
      </div>
    </Page>
  )
}

const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  hourCycle: "h23",
})

const Row = memo(function Row(props: { record: LogRecord }) {
  const { record } = props
  const format = useFormat()
  const at = new Date(record.at)
  return (
    <li className={classes.record} data-level={record.level}>
      <time dateTime={record.at} title={format.date(at)} className={classes.time}>
        {clock.format(at)}
      </time>
      <span className={classes.level}>{levels[record.level]}</span>
      <span className={classes.words}>
        <span className={classes.message}>{record.message}</span>
        {record.attributes.map(({ key, value }, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a record may name a key twice, and never changes
          <Fragment key={i}>
            {" "}
            <span className={classes.key}>{key}=</span>
            {value}
          </Fragment>
        ))}
      </span>
    </li>
  )
})
