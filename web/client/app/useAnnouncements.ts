import { notifications } from "@mantine/notifications"
import { useEffect, useRef } from "react"
import { formatChecksum } from "../../shared/format"
import type { Download, Transfer } from "../engine/types"
import { useQueue, useRestores } from "./engine"
import { restoringNotice } from "./useStartRestore"

/** Says, wherever the person is, when something was backed up, restored or failed. Notifications are read out by screen readers. */
export function useAnnouncements() {
  const { transfers } = useQueue()
  const restores = useRestores()
  const states = useRef(new Map<string, string>())
  const restoreStates = useRef(new Map<string, string>())

  useEffect(() => {
    const verified = changedTo(transfers, states.current, "verified")
    const failed = changedTo(transfers, states.current, "failed")
    remember(transfers, states.current)
    for (const t of failed) {
      notifications.show({
        color: "red",
        title: t.problem?.title ?? "A file was not backed up",
        message: `${t.name}: ${t.problem?.message ?? ""} ${t.problem?.advice ?? ""}`,
        autoClose: 15_000,
      })
    }
    const open = transfers.some((t) =>
      ["waiting", "sealing", "sending", "verifying"].includes(t.state),
    )
    // One word at the end of a queue, not one for each of a thousand files.
    if (verified.length > 0 && !open) {
      notifications.show({
        id: "backed-up",
        color: "green",
        title: "Backed up",
        message:
          verified.length === 1
            ? `${verified[0]?.name} is on the server and verified.`
            : "All files are on the server and verified.",
      })
    }
  }, [transfers])

  useEffect(() => {
    const done = changedTo(restores, restoreStates.current, "done")
    const failed = changedTo(restores, restoreStates.current, "failed")
    remember(restores, restoreStates.current)
    for (const d of [...done, ...failed]) notifications.hide(restoringNotice(d.name))
    for (const d of done) {
      notifications.show({
        color: "green",
        title: "Restored",
        message:
          d.cksum === undefined
            ? `${d.name} is restored.`
            : `${d.name} is restored. Its checksum ${formatChecksum(d.cksum)} matches the server’s.`,
      })
    }
    for (const d of failed) {
      notifications.show({
        color: "red",
        title: d.problem?.title ?? "A file was not restored",
        message: `${d.name}: ${d.problem?.message ?? ""} ${d.problem?.advice ?? ""}`,
        autoClose: 15_000,
      })
    }
  }, [restores])
}

type Item = Pick<Transfer | Download, "id" | "state">

/** The items that were seen in another state before. */
function changedTo<T extends Item>(
  items: readonly T[],
  before: Map<string, string>,
  state: string,
): T[] {
  return items.filter(
    (item) => item.state === state && before.has(item.id) && before.get(item.id) !== state,
  )
}

function remember(items: readonly Item[], into: Map<string, string>) {
  into.clear()
  for (const item of items) into.set(item.id, item.state)
}
