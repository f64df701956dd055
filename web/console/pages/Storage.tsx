import { Button, Checkbox, Group, Progress, SimpleGrid, Skeleton, Text } from "@mantine/core"
import { IconPlayerStop, IconShieldSearch, IconUsers } from "@tabler/icons-react"
import { useQueryClient } from "@tanstack/react-query"
import { Link } from "@tanstack/react-router"
import { useState } from "react"
import { FileName } from "../../shared/components/FileName"
import { Page } from "../../shared/components/Page"
import { Parts } from "../../shared/components/Parts"
import { ProblemAlert } from "../../shared/components/ProblemAlert"
import { Section } from "../../shared/components/Section"
import { Stat } from "../../shared/components/Stat"
import { StatusDot } from "../../shared/components/StatusDot"
import { formatDuration } from "../../shared/format"
import { useFormat } from "../../shared/hooks/preferences"
import { useAction } from "../../shared/hooks/useAction"
import type {
  ClientOfServer,
  Finding,
  ScrubReport,
  ScrubState,
  Storage as StorageState,
} from "../api/client"
import { useConsole, useLive } from "../app/console"
import { useStorage } from "../app/queries"
import { ActivityList } from "../components/ActivityList"
import { Empty, Waiting } from "../components/Empty"
import { QueryProblem } from "../components/QueryProblem"
import classes from "./Storage.module.css"

export function Storage() {
  const storage = useStorage()
  const { data } = storage
  const format = useFormat()
  return (
    <Page title="Storage" description="What is stored, and whether it is intact.">
      <div className="stack">
        <QueryProblem query={storage} />
        <Space storage={data} />
        <SimpleGrid cols={{ base: 2, sm: 4 }} spacing="md">
          <Stat
            label="Versions"
            value={data && format.number(data.versions)}
            note={data && `of ${format.count(data.files, "file", "files")}`}
          />
          <Stat
            label="Not confirmed"
            value={data && format.number(data.unverified)}
            note="versions whose client never compared the checksum"
          />
          <Stat
            label="Unfinished uploads"
            value={data && format.number(data.unfinished)}
            note={data && `${format.bytes(data.unfinished_bytes)} received of them`}
          />
          <Stat
            label="Damaged or missing"
            value={
              data &&
              (data.report
                ? format.number(data.report.damaged + data.report.missing)
                : "Not checked yet")
            }
            note={data?.report && "in the last integrity check"}
          />
        </SimpleGrid>
        <Scrub storage={data} />
        <Largest clients={data?.largest} all={data?.bytes} />
        {data && data.dropped.length > 0 && (
          <Section
            flush
            title="Dropped uploads"
            description="They expired or were cancelled. What had been received was deleted."
          >
            <ActivityList activities={data.dropped} />
          </Section>
        )}
      </div>
    </Page>
  )
}

function Space(props: { storage: StorageState | undefined }) {
  const { storage } = props
  const format = useFormat()
  if (!storage) return <Skeleton height={140} radius="lg" />
  const { disk_total: total, disk_free: free, bytes, min_free } = storage
  // Of the rest of the disk the server knows only that it is taken.
  const own = bytes + storage.unfinished_bytes
  const others = Math.max(0, total - free - own)
  const percent = (n: number) => (total > 0 ? (100 * n) / total : 0)
  return (
    <Section
      title="Space"
      description={
        storage.state === "full"
          ? `Less than ${format.bytes(min_free)} is free: uploads are refused until there is room.`
          : storage.state === "failing"
            ? "Blobs cannot be written or read: the log says why."
            : `Uploads are refused once less than ${format.bytes(min_free)} is free.`
      }
    >
      {total > 0 && (
        <Progress.Root size={14} mb="sm">
          <Progress.Section
            value={percent(own)}
            color={storage.state === "operational" ? undefined : "red.8"}
            aria-label="Share of the disk that Coffer takes"
          />
          <Progress.Section
            value={percent(others)}
            color="var(--coffer-others)"
            aria-label="Share of the disk that others take"
          />
        </Progress.Root>
      )}
      <div className={classes.legend}>
        <Entry
          swatch="var(--mantine-primary-color-filled)"
          label="Coffer"
          value={format.bytes(own)}
        />
        {total > 0 && (
          <>
            <Entry
              swatch="var(--coffer-others)"
              label="Other data on this disk"
              value={format.bytes(others)}
            />
            <Entry
              swatch="var(--coffer-track)"
              label="Free"
              value={`${format.bytes(free)} of ${format.bytes(total)}`}
            />
          </>
        )}
      </div>
    </Section>
  )
}

function Entry(props: { swatch: string; label: string; value: string }) {
  return (
    <span className={classes.entry}>
      <span className={classes.swatch} style={{ background: props.swatch }} aria-hidden />
      <span className={classes.dimmed}>{props.label}</span> <b>{props.value}</b>
    </span>
  )
}

function Scrub(props: { storage: StorageState | undefined }) {
  const { storage } = props
  const { api } = useConsole()
  const queries = useQueryClient()
  const pushed = useLive((live) => live.scrub)
  const state = pushed ?? storage?.scrub
  const format = useFormat()
  const [collect, setCollect] = useState(false)
  const fresh = () => queries.invalidateQueries({ queryKey: ["storage"] })
  const start = useAction(async () => {
    await api.startScrub(collect)
    await fresh()
  })
  const stop = useAction(async () => {
    await api.stopScrub()
    await fresh()
  })
  return (
    <Section
      title="Integrity check"
      description="Every blob has a SHA-256 computed when it was received. A check reads every blob and compares."
      actions={
        state?.running ? (
          <Button
            variant="default"
            leftSection={<IconPlayerStop size={17} aria-hidden />}
            loading={stop.busy}
            onClick={stop.run}
          >
            Stop
          </Button>
        ) : (
          <Button
            leftSection={<IconShieldSearch size={17} aria-hidden />}
            loading={start.busy}
            disabled={!state}
            onClick={start.run}
          >
            Check now
          </Button>
        )
      }
    >
      <div className="stack">
        {start.problem && <ProblemAlert problem={start.problem} />}
        {stop.problem && <ProblemAlert problem={stop.problem} />}
        {state?.running ? (
          <Running state={state} />
        ) : (
          <Checkbox
            label="Remove orphans as well"
            description="Blobs that no version refers to. They are harmless, but use space."
            checked={collect}
            onChange={(e) => setCollect(e.currentTarget.checked)}
          />
        )}
        {state && (
          <Text size="sm" c="dimmed">
            {state.next
              ? `The next starts by itself on ${format.date(new Date(state.next))}. `
              : state.running
                ? ""
                : "None starts by itself: the interval is 0. "}
            {state.rate_limit > 0
              ? `It reads ${format.rate(state.rate_limit)} at most.`
              : "It reads as fast as it can."}{" "}
            <Link to="/settings" className={classes.link}>
              Change
            </Link>
          </Text>
        )}
        {!storage ? (
          <Waiting rows={2} />
        ) : storage.report ? (
          <Report report={storage.report} />
        ) : (
          <Text size="sm">No check has finished yet.</Text>
        )}
      </div>
    </Section>
  )
}

function Running(props: { state: ScrubState }) {
  const { state } = props
  const format = useFormat()
  const percent = state.total_bytes > 0 ? (100 * state.done_bytes) / state.total_bytes : 0
  return (
    <div>
      <Group justify="space-between" gap="xs" mb={6}>
        <Text size="sm" fw={500}>
          Checking
          {state.collect && ", and removing orphans"}
          {state.findings > 0 && `: ${format.count(state.findings, "finding", "findings")} so far`}
        </Text>
        <Text size="sm" c="dimmed">
          <Parts
            parts={[
              `${format.bytes(state.done_bytes)} of ${format.bytes(state.total_bytes)}`,
              state.rate > 0 && format.rate(state.rate),
              state.seconds_left !== undefined && `${formatDuration(state.seconds_left)} left`,
            ]}
          />
        </Text>
      </Group>
      <Progress.Root size={7}>
        <Progress.Section value={percent} aria-label="Progress of the check" />
      </Progress.Root>
    </div>
  )
}

function Report(props: { report: ScrubReport }) {
  const { report } = props
  const format = useFormat()
  const bad = report.missing + report.damaged
  const found = bad + report.orphans
  return (
    <section aria-label="Last report" className={classes.report}>
      <StatusDot tone={!report.complete ? "warn" : bad > 0 ? "bad" : "good"}>
        <b>
          {!report.complete
            ? report.stopped
              ? "The last check was stopped"
              : "The last check did not come to its end"
            : bad > 0
              ? `${format.count(bad, "blob is", "blobs are")} not what was received`
              : "All that is stored is what was received"}
        </b>
      </StatusDot>
      <Text size="sm" c="dimmed" mt={4}>
        <Parts
          parts={[
            format.date(new Date(report.ended)),
            `took ${formatDuration((Date.parse(report.ended) - Date.parse(report.started)) / 1_000)}`,
            `${format.count(report.versions, "version", "versions")} and ${format.bytes(report.bytes)} read`,
            `${format.number(report.damaged)} damaged`,
            `${format.number(report.missing)} missing`,
            format.count(report.orphans, "orphan", "orphans"),
            report.freed > 0 && `${format.bytes(report.freed)} freed`,
          ]}
        />
      </Text>
      {report.error && (
        <Text size="sm" mt={4}>
          {report.error}
        </Text>
      )}
      {report.findings.length > 0 && <Findings findings={report.findings} />}
      {found > report.findings.length && (
        <Text size="xs" c="dimmed" mt="xs">
          The first {format.number(report.findings.length)} of {format.number(found)} are listed.
        </Text>
      )}
      {bad > 0 && (
        <Text size="sm" mt="sm">
          What to do: bring the blob back from a copy of <code>received_files</code>, or have its
          owner back the file up again. Other versions are not touched.
        </Text>
      )}
    </section>
  )
}

const faults: Record<Finding["fault"], { label: string; tone: "bad" | "idle" }> = {
  damaged: { label: "Damaged", tone: "bad" },
  missing: { label: "Missing", tone: "bad" },
  orphan: { label: "Orphan", tone: "idle" },
}

function Findings(props: { findings: Finding[] }) {
  const format = useFormat()
  return (
    <ul className={`rows ${classes.findings}`} aria-label="Findings">
      {props.findings.map((finding) => (
        <li
          key={`${finding.blob}\0${finding.file}\0${finding.version}`}
          className={classes.finding}
        >
          <span className={classes.fault}>
            <StatusDot tone={faults[finding.fault].tone}>{faults[finding.fault].label}</StatusDot>
          </span>
          <div className={classes.what}>
            {(finding.file || finding.client) && (
              <div className={classes.whose}>
                {finding.file && <FileName name={finding.file} />}
                {finding.client && (
                  <Link
                    to="/clients/$name"
                    params={{ name: finding.client.name }}
                    className={classes.client}
                  >
                    {finding.client.name}
                  </Link>
                )}
              </div>
            )}
            <Text size="xs" c="dimmed">
              {finding.version !== undefined && `version ${finding.version}: `}
              {finding.detail}
            </Text>
            <span className={classes.blob}>{finding.blob}</span>
          </div>
          <span className={classes.size}>{format.bytes(finding.bytes)}</span>
        </li>
      ))}
    </ul>
  )
}

function Largest(props: { clients: ClientOfServer[] | undefined; all: number | undefined }) {
  const { clients, all = 0 } = props
  const format = useFormat()
  return (
    <Section flush title="Largest clients">
      {!clients ? (
        <Waiting />
      ) : clients.length === 0 ? (
        <Empty
          icon={IconUsers}
          title="Nobody has registered yet"
          description="The clients that use the most space are listed here."
        />
      ) : (
        <ul className="rows">
          {clients.map((client) => (
            <li key={client.name}>
              <Link to="/clients/$name" params={{ name: client.name }} className={classes.large}>
                <span className={classes.largeName}>{client.name}</span>
                <span className={classes.bar} aria-hidden>
                  <span
                    style={{ width: `${all > 0 ? Math.max(0.5, (100 * client.bytes) / all) : 0}%` }}
                  />
                </span>
                <span className={classes.largeFiles}>
                  {format.count(client.files, "file", "files")}
                </span>
                <span className={classes.largeBytes}>{format.bytes(client.bytes)}</span>
              </Link>
            </li>
          ))}
        </ul>
      )}
    </Section>
  )
}
