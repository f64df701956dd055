import { Button, Text } from "@mantine/core"
import {
  IconAlertCircle,
  IconCircleCheckFilled,
  IconCircleX,
  IconFileDownload,
  IconX,
} from "@tabler/icons-react"
import { memo } from "react"
import { Parts } from "../../shared/components/Parts"
import { ProgressRow } from "../../shared/components/ProgressRow"
import { RowAction } from "../../shared/components/RowAction"
import { formatChecksum, formatDuration } from "../../shared/format"
import { useFormat } from "../../shared/hooks/preferences"
import { useEngine } from "../app/engine"
import { useStartRestore } from "../app/useStartRestore"
import type { Download } from "../engine/types"

const stateWords: Record<Download["state"], string> = {
  receiving: "Receiving",
  checking: "Checking",
  done: "Restored",
  failed: "Failed",
  cancelled: "Cancelled",
}

/** A file on its way back. */
export const RestoreRow = memo(function RestoreRow(props: { restore: Download }) {
  const { restore: d } = props
  const { restore } = useEngine()
  const format = useFormat()
  const startRestore = useStartRestore()
  const moving = d.state === "receiving" || d.state === "checking"
  const details = moving
    ? [
        `${format.bytes(d.received)} of ${format.bytes(d.size)}`,
        d.rate > 0 && format.rate(d.rate),
        d.secondsLeft !== undefined && `${formatDuration(d.secondsLeft)} left`,
      ]
    : [
        format.bytes(d.size),
        ...(d.state === "done" && d.cksum !== undefined
          ? [`checksum ${formatChecksum(d.cksum)}`, "equal to the server’s"]
          : []),
      ]
  return (
    <ProgressRow
      icon={<StateIcon state={d.state} />}
      name={d.name}
      details={<Parts parts={details} />}
      state={stateWords[d.state]}
      progress={moving ? (d.size > 0 ? (100 * d.received) / d.size : 0) : undefined}
      actions={
        moving ? (
          <RowAction
            icon={IconX}
            label="Cancel"
            subject={d.name}
            onClick={() => restore.cancel(d.id)}
          />
        ) : (
          <RowAction
            icon={IconX}
            label="Remove from the list"
            subject={d.name}
            onClick={() => restore.dismiss(d.id)}
          />
        )
      }
    >
      {d.problem && (
        <Text size="xs" c="var(--mantine-color-error)" mt={4}>
          {d.problem.message} {d.problem.advice}
        </Text>
      )}
      {d.problem?.kind === "doubt" && (
        <Button
          size="compact-xs"
          variant="light"
          color="red"
          mt={6}
          onClick={() => startRestore(d.entry, true)}
        >
          Restore it all the same
        </Button>
      )}
    </ProgressRow>
  )
})

function StateIcon(props: { state: Download["state"] }) {
  switch (props.state) {
    case "done":
      return <IconCircleCheckFilled size={18} color="var(--coffer-good)" aria-hidden />
    case "failed":
      return <IconAlertCircle size={18} color="var(--coffer-bad)" aria-hidden />
    case "cancelled":
      return <IconCircleX size={18} aria-hidden />
    default:
      return <IconFileDownload size={18} color="var(--coffer-accent)" aria-hidden />
  }
}
