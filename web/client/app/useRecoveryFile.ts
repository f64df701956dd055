import { useState, useSyncExternalStore } from "react"
import { useAction } from "../../shared/hooks/useAction"
import { download } from "./download"
import { useEngine, useSession } from "./engine"

const listeners = new Set<() => void>()

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

function remember(key: string, date: string | undefined) {
  try {
    if (date === undefined) localStorage.removeItem(key)
    else localStorage.setItem(key, date)
  } catch {
    // Storage is closed to us: the page will remind the person once more.
  }
  for (const listener of listeners) listener()
}

function recall(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

/** Saves the recovery file to the person's disk, and remembers in this browser when that was. */
export function useRecoveryFile() {
  const { session } = useEngine()
  const state = useSession()
  const [saved, setSaved] = useState(false)
  const username = state.state === "signed-out" ? "" : state.username
  const name = `coffer-${username.replace(/[^\p{L}\p{N}._@-]/gu, "_")}.age`
  const key = `coffer.recovery-saved.${username}`
  const date = useSyncExternalStore(subscribe, () => recall(key))

  const save = useAction(async () => {
    download(await session.recoveryFile(), name)
    setSaved(true)
    remember(key, new Date().toISOString())
  })
  return {
    ...save,
    name,
    /** Whether it was saved since this page was opened. */
    saved,
    savedAt: date ? new Date(date) : undefined,
    /** The file that was saved opens no more with today's passphrase. */
    forget: () => remember(key, undefined),
  }
}
