import { Text } from "@mantine/core"
import { notifications } from "@mantine/notifications"
import {
  IconArrowsUpDown,
  IconClock,
  IconFileUpload,
  IconHistory,
  IconShieldCheck,
  IconX,
} from "@tabler/icons-react"
import { useQueryClient } from "@tanstack/react-query"
import { Link } from "@tanstack/react-router"
import { useState } from "react"
import { Page } from "../../shared/components/Page"
import { Parts } from "../../shared/components/Parts"
import { ProgressRow } from "../../shared/components/ProgressRow"
import { RowAction } from "../../shared/components/RowAction"
import { Section } from "../../shared/components/Section"
import { formatDuration } from "../../shared/format"
import { useFormat } from "../../shared/hooks/preferences"
import type { Transfer } from "../api/client"
import { useConsole } from "../app/console"
import { useTransfers } from "../app/queries"
import { ActivityList } from "../components/ActivityList"
import { Age } from "../components/Age"
import { Confirm } from "../components/Confirm"
import { Empty, Waiting } from "../components/Empty"
import { QueryProblem } from "../components/QueryProblem"
import classes from "./Transfers.module.css"

/** Rows that are drawn at once; the rest is a number. */
const shown = 100

export function Transfers() {
  const { transfers, ended, ...query } = useTransfers()
  const { api } = useConsole()
  const queries = useQueryClient()
  const format = useFormat()
  const [cancelling, setCancelling] = useState<Transfer>()
  const rate = transfers?.reduce((sum, t) => sum + t.rate, 0) ?? 0
  return (
    <Page title="Transfers" description="Uploads in progress, and uploads that ended recently.">
      <div className="stack">
        <QueryProblem query={query} />
        <Section
          flush
          title="In progress"
          description={
            transfers &&
            transfers.length > 0 && (
              <Parts
                parts={[
                  format.count(transfers.length, "upload", "uploads"),
                  rate > 0 && `${format.rate(rate)} in all`,
                ]}
              />
            )
          }
        >
          {!transfers ? (
            !query.problem && <Waiting />
          ) : transfers.length === 0 ? (
            <Empty
              icon={IconArrowsUpDown}
              title="No upload in progress"
              description="An upload appears here with its first packet and leaves when its client has confirmed it."
            />
          ) : (
            <ul className="rows">
              {transfers.slice(0, shown).map((transfer) => (
                <Row key={transfer.id} transfer={transfer} onCancel={setCancelling} />
              ))}
            </ul>
          )}
          {transfers && transfers.length > shown && (
            <Text size="sm" c="dimmed" className={classes.rest}>
              {format.count(transfers.length - shown, "more upload is", "more uploads are")} under
              way.
            </Text>
          )}
        </Section>
        <Section flush title="Recently ended">
          {!ended ? (
            !query.problem && <Waiting />
          ) : ended.length === 0 ? (
            <Empty
              icon={IconHistory}
              title="Nothing has ended yet"
              description="Verified, cancelled, expired and failed uploads are listed here, with the reason."
            />
          ) : (
            <ActivityList activities={ended} />
          )}
        </Section>
      </div>
      <Confirm
        opened={cancelling !== undefined}
        title="Cancel this upload?"
        keep="Let it go on"
        action="Cancel upload"
        onClose={() => setCancelling(undefined)}
        onConfirm={async () => {
          if (!cancelling) return
          await api.cancelTransfer(cancelling.id)
          await queries.invalidateQueries({ queryKey: ["transfers"] })
          notifications.show({
            title: "Cancelled",
            message: `The received part of ${cancelling.file} was deleted.`,
          })
        }}
      >
        The received part of <b>{cancelling?.file}</b> will be deleted. Its client learns this with
        its next packet. Stored versions stay.
      </Confirm>
    </Page>
  )
}

const states: Record<Transfer["state"], string> = {
  receiving: "Receiving",
  storing: "Storing",
  unconfirmed: "Waiting to be confirmed",
}

function Row(props: { transfer: Transfer; onCancel: (transfer: Transfer) => void }) {
  const { transfer: t } = props
  const format = useFormat()
  const whole = t.total_bytes
  const silent = t.state !== "storing" && t.rate === 0
  return (
    <ProgressRow
      icon={<StateIcon state={t.state} silent={silent} />}
      name={t.file}
      mark={
        <Link to="/clients/$name" params={{ name: t.client.name }} className={classes.client}>
          {t.client.name}
        </Link>
      }
      details={
        <>
          <Parts
            parts={[
              whole === undefined
                ? format.bytes(t.bytes)
                : `${format.bytes(Math.min(t.bytes, whole))} of ${format.bytes(whole)}`,
              t.rate > 0 && format.rate(t.rate),
              t.seconds_left !== undefined && `${formatDuration(t.seconds_left)} left`,
              packets(t, format.number),
              t.missing > 0 && `${format.number(t.missing)} missing`,
              t.attempts_left < 3 && format.count(t.attempts_left, "attempt left", "attempts left"),
            ]}
          />
          {silent && (
            <>
              {" · last heard "}
              <Age at={t.changed} />
            </>
          )}
        </>
      }
      state={t.state === "receiving" && silent ? "Waiting for its client" : states[t.state]}
      progress={progress(t)}
      progressColor={silent ? "gray.5" : undefined}
      actions={
        <RowAction
          icon={IconX}
          label="Cancel"
          subject={`${t.file} of ${t.client.name}`}
          onClick={() => props.onCancel(t)}
        />
      }
    />
  )
}

function packets(t: Transfer, number: (n: number) => string): string {
  return t.total_packets === undefined
    ? `${number(t.packets)} packets`
    : `${number(t.packets)} of ${number(t.total_packets)} packets`
}

/** In percent; undefined while nobody knows how much there is to come. */
function progress(t: Transfer): number | undefined {
  if (t.state !== "receiving") return 100
  if (t.total_bytes) return Math.min(100, (100 * t.bytes) / t.total_bytes)
  if (t.total_packets) return (100 * t.packets) / t.total_packets
  return undefined
}

function StateIcon(props: { state: Transfer["state"]; silent: boolean }) {
  if (props.state === "unconfirmed") return <IconShieldCheck size={18} aria-hidden />
  if (props.silent) return <IconClock size={18} aria-hidden />
  return <IconFileUpload size={18} color="var(--coffer-accent)" aria-hidden />
}
