import { notifications } from "@mantine/notifications"
import { useCallback } from "react"
import { isFolder } from "../engine/format"
import type { FileEntry } from "../engine/types"
import { useEngine } from "./engine"
import { questionOf, useRestoreQuestion } from "./RestoreQuestion"

/** From this size on a file is written straight to the disk, where the browser can; a smaller one is an ordinary download. */
const streamFrom = 64 * 1024 * 1024

type SavePicker = (options: { suggestedName: string }) => Promise<FileSystemFileHandle>

/** The name that a restored file is saved under: its own, without folders; a folder's archive says what it is. */
export function saveName(entry: FileEntry): string {
  const base = entry.filename.slice(entry.filename.lastIndexOf("/") + 1)
  return isFolder(entry) ? `${base}.tar.zst` : base
}

/** The notice that a file is being restored, which gives way to the one that it was. */
export function restoringNotice(name: string): string {
  return `restoring-${name}`
}

/** Starts to restore a file, asking first whether what is in doubt is to be trusted, and where to save it where that is due. */
export function useStartRestore() {
  const { restore } = useEngine()
  const ask = useRestoreQuestion()
  const begin = useCallback(
    async (entry: FileEntry, trusted: boolean) => {
      const picker = (window as { showSaveFilePicker?: SavePicker }).showSaveFilePicker
      let sink: FileSystemFileHandle | undefined
      if (picker && entry.original_size >= streamFrom) {
        try {
          sink = await picker({ suggestedName: saveName(entry) })
        } catch (error) {
          if (error instanceof DOMException && error.name === "AbortError") return
          // The browser does not let us write to the disk: a download does as well.
        }
      }
      restore.start(entry, { sink, trusted })
      notifications.show({
        id: restoringNotice(entry.filename),
        title: "Restoring",
        message: `${entry.filename} is being fetched, decrypted and checked. Transfers shows how far it is.`,
      })
    },
    [restore],
  )
  return useCallback(
    /** Refused: it was begun, and found to be in doubt. */
    (entry: FileEntry, refused = false) => {
      if (refused || questionOf(entry)) ask(entry, () => void begin(entry, true))
      else void begin(entry, false)
    },
    [ask, begin],
  )
}
