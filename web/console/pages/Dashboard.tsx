import { Anchor, Paper, SegmentedControl, SimpleGrid, Skeleton } from "@mantine/core"
import { IconActivity } from "@tabler/icons-react"
import { Link } from "@tanstack/react-router"
import { lazy, Suspense, useState } from "react"
import { Page } from "../../shared/components/Page"
import { Parts } from "../../shared/components/Parts"
import { Section } from "../../shared/components/Section"
import { Stat } from "../../shared/components/Stat"
import { StatusDot, type Tone } from "../../shared/components/StatusDot"
import { formatDuration } from "../../shared/format"
import { useFormat } from "../../shared/hooks/preferences"
import type { Stats, Window } from "../api/client"
import { useLive } from "../app/console"
import { useActivities } from "../app/queries"
import { ActivityList, worked } from "../components/ActivityList"
import { Empty, Waiting } from "../components/Empty"
import { QueryProblem } from "../components/QueryProblem"
import classes from "./Dashboard.module.css"

const Charts = lazy(() => import("./Charts").then((m) => ({ default: m.Charts })))

const recent = 12

export function Dashboard() {
  const stats = useLive((live) => live.stats)
  const [window, setWindow] = useState<Window>("hour")
  return (
    <Page
      title="Dashboard"
      description={
        stats && (
          <Parts
            parts={[
              `Coffer ${stats.version}`,
              `clients connect to ${stats.listen}${stats.tls ? " by TLS" : ""}`,
              `running for ${formatDuration(stats.uptime_seconds)}`,
            ]}
          />
        )
      }
    >
      <div className="stack">
        <Health stats={stats} />
        <Figures stats={stats} />
        <Section
          title={window === "hour" ? "Last hour" : "Last day"}
          actions={
            <SegmentedControl
              size="xs"
              aria-label="What the charts go over"
              value={window}
              onChange={(value) => setWindow(value as Window)}
              data={[
                { value: "hour", label: "Hour" },
                { value: "day", label: "Day" },
              ]}
            />
          }
        >
          <Suspense fallback={<Skeleton height={400} />}>
            <Charts window={window} />
          </Suspense>
        </Section>
        <Recent />
      </div>
    </Page>
  )
}

const stateTones: Record<Stats["database"], Tone> = {
  operational: "good",
  full: "warn",
  failing: "bad",
}

const stateWords: Record<Stats["database"], string> = {
  operational: "works",
  full: "is full: uploads are refused",
  failing: "is failing: see the log",
}

function Health(props: { stats: Stats | undefined }) {
  const { stats } = props
  const format = useFormat()
  const away = useLive((live) => live.state === "away")
  // What was so, is not shown in the colour of what is.
  const now = (tone: Tone): Tone => (away ? "idle" : tone)
  if (!stats) return <Skeleton height={54} radius="lg" />
  const { scrub } = stats
  return (
    <Paper component="section" aria-label="State" className={classes.health}>
      <StatusDot tone={away ? "bad" : stats.closing ? "warn" : "good"}>
        {away ? "Server does not answer" : stats.closing ? "Server is stopping" : "Server runs"}
      </StatusDot>
      <StatusDot tone={now(stateTones[stats.database])}>
        Database {stateWords[stats.database]}
      </StatusDot>
      <StatusDot tone={now(stateTones[stats.storage])}>
        Storage {stateWords[stats.storage]}
      </StatusDot>
      <StatusDot tone={now(stats.registration_open ? "good" : "idle")}>
        Registration {stats.registration_open ? "is open" : "is closed"}
      </StatusDot>
      {scrub.running ? (
        <StatusDot tone={now(scrub.findings > 0 ? "warn" : "good")}>
          <Anchor component={Link} to="/storage" inherit>
            Integrity check runs
          </Anchor>
          {scrub.findings > 0 && `, ${format.count(scrub.findings, "finding", "findings")} so far`}
        </StatusDot>
      ) : (
        scrub.next && (
          <StatusDot tone="idle">
            Next integrity check {format.date(new Date(scrub.next))}
          </StatusDot>
        )
      )}
    </Paper>
  )
}

function Figures(props: { stats: Stats | undefined }) {
  const { stats } = props
  const format = useFormat()
  const count = (n: number | undefined) => n !== undefined && format.number(n)
  return (
    <SimpleGrid cols={{ base: 2, sm: 4 }} spacing="md">
      <Stat
        label="Connected clients"
        value={stats && count(stats.connected)}
        note={
          stats &&
          `${format.count(stats.connections, "connection", "connections")}, ${format.count(stats.gateways, "gateway", "gateways")}`
        }
      />
      <Stat
        label="Registered clients"
        value={stats && count(stats.clients)}
        note={
          stats && (stats.suspended > 0 ? `${format.number(stats.suspended)} suspended` : nothing)
        }
      />
      <Stat
        label="Active transfers"
        value={stats && count(stats.uploads)}
        note={stats && `${format.rate(stats.receive_rate)} in, ${format.rate(stats.send_rate)} out`}
      />
      <Stat
        label="Received"
        value={stats && format.bytes(stats.bytes_received)}
        note={stats && `${format.bytes(stats.bytes_sent)} sent, since the start`}
      />
      <Stat
        label="Stored"
        value={stats && format.bytes(stats.bytes)}
        note={
          stats &&
          (stats.disk_total > 0
            ? `${format.bytes(stats.disk_free)} of ${format.bytes(stats.disk_total)} free`
            : nothing)
        }
      />
      <Stat
        label="Files"
        value={stats && count(stats.files)}
        note={stats && `in ${format.count(stats.versions, "version", "versions")}`}
      />
      <Stat
        label="Verified"
        value={stats && share(stats.verified, stats.versions)}
        note={
          stats &&
          (stats.versions === 0
            ? "nothing is stored yet"
            : stats.verified === stats.versions
              ? "every version"
              : `${format.number(stats.versions - stats.verified)} not confirmed`)
        }
      />
      <Stat
        label="Requests"
        value={stats && count(stats.requests)}
        note={
          stats &&
          `${format.number(Math.round(stats.request_rate))} a second, ${format.number(stats.failures)} failed`
        }
      />
    </SimpleGrid>
  )
}

/** Keeps a figure's card as high as those beside it. */
const nothing = "\u00a0"

/** Rounded down: it is 100 % only when it is all of them. */
function share(part: number, whole: number): string {
  if (whole === 0) return "–"
  const percent = Math.floor((1_000 * part) / whole) / 10
  return `${percent} %`
}

function Recent() {
  const { activities, ...query } = useActivities({ limit: 50 })
  return (
    <Section
      flush
      title="Recent activity"
      actions={
        <Anchor component={Link} to="/activity" size="sm">
          All activity
        </Anchor>
      }
    >
      {query.problem ? (
        <div className={classes.problem}>
          <QueryProblem query={query} />
        </div>
      ) : !activities ? (
        <Waiting />
      ) : activities.length === 0 ? (
        <Empty
          icon={IconActivity}
          title="Nothing has happened yet"
          description="Registrations, uploads, restores and errors are listed here as they happen."
        />
      ) : (
        <ActivityList activities={worked(activities).slice(0, recent)} />
      )}
    </Section>
  )
}
