import { Button, EmptyState, Group, Progress, Text } from "@mantine/core"
import { IconHistory, IconPlayerPause, IconPlayerPlay, IconTrash } from "@tabler/icons-react"
import { useState } from "react"
import { Page } from "../../shared/components/Page"
import { Parts } from "../../shared/components/Parts"
import { Section } from "../../shared/components/Section"
import { formatDuration } from "../../shared/format"
import { useFormat } from "../../shared/hooks/preferences"
import { useEngine, useQueue, useRestores } from "../app/engine"
import { pickedFromList } from "../app/picking"
import { FilePicker } from "../components/FilePicker"
import type { Transfer } from "../engine/types"
import { RestoreRow } from "./RestoreRow"
import { TransferRow } from "./TransferRow"

const historyStates = new Set<Transfer["state"]>(["verified", "cancelled"])

/** Rows that are drawn at once; the rest of a long queue is a number until its turn comes. */
const shown = 100

export function Transfers() {
  const { queue } = useEngine()
  const { transfers, overall } = useQueue()
  const restores = useRestores()
  const format = useFormat()

  const history = transfers.filter((t) => historyStates.has(t.state)).reverse()
  const unfinished = transfers.filter((t) => t.needsFile)
  const current = transfers.filter((t) => !historyStates.has(t.state) && !t.needsFile)
  const percent = overall.size > 0 ? (100 * overall.sent) / overall.size : 0
  const busy = overall.active > 0

  return (
    <Page
      title="Transfers"
      progress={busy ? `${Math.floor(percent)} %` : undefined}
      description="Files are sealed in this browser, sent in packets, and counted as backed up once the server has verified them."
    >
      <div className="stack">
        <FilePicker
          title="Drop files or folders anywhere on this page"
          touchTitle="Choose files to back up"
          hint="Any number at once. They are sealed before they leave this browser."
          compact={transfers.length > 0}
          onChoose={(files) => queue.add(pickedFromList(files))}
        />

        {unfinished.length > 0 && (
          <Section
            flush
            title="Waiting for files"
            description="These were unfinished when the page was closed. Choose the same file again to send only what is missing."
          >
            <Rows items={unfinished} render={(t) => <TransferRow key={t.id} transfer={t} />} />
          </Section>
        )}

        {current.length > 0 && (
          <Section
            flush
            title="Backing up"
            actions={<QueueActions transfers={current} />}
            description={
              <Parts
                parts={[
                  format.count(current.length, "file", "files"),
                  `${format.bytes(overall.sent)} of ${format.bytes(overall.size)}`,
                  busy && overall.rate > 0 && format.rate(overall.rate),
                  busy &&
                    overall.secondsLeft !== undefined &&
                    `${formatDuration(overall.secondsLeft)} left`,
                ]}
              />
            }
          >
            {current.length > 1 && (
              <Progress.Root size={7} mx="lg" mb="xs">
                <Progress.Section value={percent} aria-label="Progress of all files" />
              </Progress.Root>
            )}
            <Rows items={current} render={(t) => <TransferRow key={t.id} transfer={t} />} />
          </Section>
        )}

        {restores.length > 0 && (
          <Section flush title="Restoring">
            <Rows items={restores} render={(r) => <RestoreRow key={r.id} restore={r} />} />
          </Section>
        )}

        <Section
          flush
          title="History"
          actions={
            history.length > 0 && (
              <Button
                variant="subtle"
                color="gray"
                size="compact-sm"
                leftSection={<IconTrash size={16} aria-hidden />}
                onClick={() => queue.clearFinished()}
              >
                Clear
              </Button>
            )
          }
        >
          {history.length > 0 ? (
            <Rows items={history} render={(t) => <TransferRow key={t.id} transfer={t} />} />
          ) : (
            <EmptyState
              py="xl"
              icon={<IconHistory stroke={1.5} aria-hidden />}
              title="Nothing backed up from this browser yet"
              description="Drop a file above. It is listed here when the server has verified it."
            />
          )}
        </Section>
      </div>
    </Page>
  )
}

function QueueActions(props: { transfers: Transfer[] }) {
  const { queue } = useEngine()
  const running = props.transfers.some((t) =>
    ["waiting", "sealing", "sending", "verifying"].includes(t.state),
  )
  const paused = props.transfers.some((t) => t.state === "paused")
  return (
    <>
      {running && (
        <Button
          variant="subtle"
          size="compact-sm"
          leftSection={<IconPlayerPause size={16} aria-hidden />}
          onClick={() => queue.pauseAll()}
        >
          Pause all
        </Button>
      )}
      {paused && (
        <Button
          variant="subtle"
          size="compact-sm"
          leftSection={<IconPlayerPlay size={16} aria-hidden />}
          onClick={() => queue.resumeAll()}
        >
          Resume all
        </Button>
      )}
    </>
  )
}

function Rows<T>(props: { items: readonly T[]; render: (item: T) => React.ReactNode }) {
  const [limit, setLimit] = useState(shown)
  const more = props.items.length - limit
  return (
    <>
      <ul className="rows">{props.items.slice(0, limit).map(props.render)}</ul>
      {more > 0 && (
        <Group justify="center" p="sm">
          <Text size="sm" c="dimmed">
            {more} more
          </Text>
          <Button variant="subtle" size="compact-sm" onClick={() => setLimit(limit + shown)}>
            Show more
          </Button>
        </Group>
      )}
    </>
  )
}
