import { Button, Text } from "@mantine/core"
import {
  IconAlertCircle,
  IconCircleCheckFilled,
  IconCircleX,
  IconClock,
  IconFileUpload,
  IconPlayerPause,
  IconPlayerPlay,
  IconRefresh,
  IconX,
} from "@tabler/icons-react"
import { memo, useRef } from "react"
import { Parts } from "../../shared/components/Parts"
import { ProgressRow } from "../../shared/components/ProgressRow"
import { RowAction } from "../../shared/components/RowAction"
import { formatChecksum, formatDuration } from "../../shared/format"
import { useFormat } from "../../shared/hooks/preferences"
import { useEngine } from "../app/engine"
import { SealMark } from "../components/SealMark"
import type { Transfer, TransferState } from "../engine/types"

const stateWords: Record<TransferState, string> = {
  waiting: "Waiting",
  sealing: "Sealing",
  sending: "Sending",
  verifying: "Verifying",
  verified: "Verified",
  paused: "Paused",
  failed: "Failed",
  cancelled: "Cancelled",
  unfinished: "Not finished",
}

/** A file on its way to the server. */
export const TransferRow = memo(function TransferRow(props: { transfer: Transfer }) {
  const { transfer: t } = props
  const { queue } = useEngine()
  const format = useFormat()
  const chooser = useRef<HTMLInputElement>(null)

  const moving = t.state === "sealing" || t.state === "sending" || t.state === "verifying"
  const open = moving || t.state === "waiting" || t.state === "paused" || t.state === "failed"

  const details =
    t.state === "verified"
      ? [
          format.bytes(t.size),
          t.finishedAt && format.age(t.finishedAt),
          t.cksum !== undefined && `checksum ${formatChecksum(t.cksum)}`,
        ]
      : moving || t.state === "paused" || t.needsFile
        ? [
            `${format.bytes(t.sent)} of ${format.bytes(t.size)}`,
            moving && t.rate > 0 && format.rate(t.rate),
            moving && t.secondsLeft !== undefined && `${formatDuration(t.secondsLeft)} left`,
            t.attempt > 1 && `attempt ${t.attempt}`,
          ]
        : [format.bytes(t.size)]

  return (
    <ProgressRow
      icon={<StateIcon state={t.state} />}
      name={t.name}
      mark={<SealMark sealed={t.sealed} />}
      details={<Parts parts={details} />}
      state={stateWords[t.state]}
      progress={
        open || t.needsFile ? (t.size > 0 ? Math.min(100, (100 * t.sent) / t.size) : 0) : undefined
      }
      progressColor={t.state === "failed" ? "red" : moving ? undefined : "gray.5"}
      actions={
        <>
          {(moving || t.state === "waiting") && (
            <RowAction
              icon={IconPlayerPause}
              label="Pause"
              subject={t.name}
              onClick={() => queue.pause(t.id)}
            />
          )}
          {t.state === "paused" && !t.needsFile && (
            <RowAction
              icon={IconPlayerPlay}
              label="Resume"
              subject={t.name}
              onClick={() => queue.resume(t.id)}
            />
          )}
          {(t.state === "failed" || t.state === "cancelled") && !t.needsFile && (
            <RowAction
              icon={IconRefresh}
              label="Try again"
              subject={t.name}
              onClick={() => queue.retry(t.id)}
            />
          )}
          {(open || t.needsFile) && (
            <RowAction
              icon={IconX}
              label="Cancel"
              subject={t.name}
              onClick={() => queue.cancel(t.id)}
            />
          )}
        </>
      }
    >
      {t.problem && (
        <Text size="xs" c="var(--mantine-color-error)" mt={4}>
          {t.problem.message} {t.problem.advice}
        </Text>
      )}
      {t.note && (
        <Text size="xs" c="dimmed" mt={4}>
          {t.note}
        </Text>
      )}
      {t.needsFile && (
        <>
          <Button
            variant="light"
            size="compact-sm"
            mt={6}
            aria-label={`Choose the file ${t.name}`}
            onClick={() => chooser.current?.click()}
          >
            Choose the file
          </Button>
          <input
            ref={chooser}
            type="file"
            hidden
            aria-label={`The file ${t.name}`}
            onChange={(e) => {
              const file = e.currentTarget.files?.[0]
              if (file) queue.giveFile(t.id, file)
            }}
          />
        </>
      )}
    </ProgressRow>
  )
})

function StateIcon(props: { state: TransferState }) {
  switch (props.state) {
    case "verified":
      return <IconCircleCheckFilled size={18} color="var(--coffer-good)" aria-hidden />
    case "failed":
      return <IconAlertCircle size={18} color="var(--coffer-bad)" aria-hidden />
    case "cancelled":
      return <IconCircleX size={18} aria-hidden />
    case "paused":
      return <IconPlayerPause size={18} aria-hidden />
    case "waiting":
    case "unfinished":
      return <IconClock size={18} aria-hidden />
    default:
      return <IconFileUpload size={18} color="var(--coffer-accent)" aria-hidden />
  }
}
