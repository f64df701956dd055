import { Tooltip } from "@mantine/core"
import { IconAlertTriangle, IconLock, IconLockOpen } from "@tabler/icons-react"
import { isSealed } from "../engine/format"
import type { FileEntry } from "../engine/types"
import classes from "./SealMark.module.css"

/** How far a stored file can be trusted: sealed or not, and what does not go together with what was seen. */
export function SealMarks(props: { file: FileEntry }) {
  const { doubt } = props.file
  return (
    <>
      <SealMark sealed={isSealed(props.file)} />
      {doubt && (
        <Mark
          icon={IconAlertTriangle}
          words={doubt.kind === "older" ? "Older than seen" : "Not as seen"}
          explanation={
            doubt.kind === "older"
              ? `This browser has seen version ${doubt.seen}`
              : "This browser has seen another content under this version"
          }
        />
      )}
    </>
  )
}

export function SealMark(props: { sealed: boolean }) {
  if (!props.sealed) {
    return (
      <Mark
        icon={IconLockOpen}
        words="Not sealed"
        explanation="Not sealed: the server could read it, or make it"
      />
    )
  }
  return (
    <Tooltip label="Sealed: the server cannot read it">
      <IconLock size={14} stroke={2} role="img" aria-label="Sealed" style={{ flex: "none" }} />
    </Tooltip>
  )
}

function Mark(props: { icon: typeof IconLock; words: string; explanation: string }) {
  const { icon: Icon } = props
  return (
    <Tooltip label={props.explanation}>
      <span className={classes.mark}>
        <Icon size={14} stroke={2} aria-hidden />
        {props.words}
      </span>
    </Tooltip>
  )
}
