import { useQueryClient } from "@tanstack/react-query"
import { useEffect, useState } from "react"
import type { LogQuery, LogRecord } from "../api/client"

/** So many records of a busy server are kept; the rest can be fetched as older ones. */
const kept = 1_000
/** Records are shown in bundles: a debug log may have thousands a second. */
const bundle = 250

const none: readonly LogRecord[] = []

/** Log records as they come, the newest first, while one follows the log. */
export function useLogTail(filter: LogQuery, following: boolean): readonly LogRecord[] {
  const queries = useQueryClient()
  const [records, setRecords] = useState<readonly LogRecord[]>(none)
  const address = `/api/logs/events?${parameters(filter)}`

  useEffect(() => {
    setRecords(none)
    if (!following) return
    let fresh: LogRecord[] = []
    let timer: ReturnType<typeof setTimeout> | undefined
    let broken = false
    const anew = () => {
      // A server that was started anew counts its records anew.
      fresh = []
      setRecords(none)
      queries.invalidateQueries({ queryKey: ["logs"] })
    }
    const source = new EventSource(address)
    source.addEventListener("log", (event) => {
      fresh.push(JSON.parse(event.data))
      timer ??= setTimeout(() => {
        const arrived = fresh.reverse()
        timer = undefined
        fresh = []
        setRecords((now) => [...arrived, ...now].slice(0, kept))
      }, bundle)
    })
    source.addEventListener("missed", anew)
    source.onerror = () => {
      broken = true
    }
    source.onopen = () => {
      if (broken) anew()
      broken = false
    }
    return () => {
      clearTimeout(timer)
      source.close()
    }
  }, [address, following, queries])

  return records
}

/** The filter as it stands in an address. */
export function parameters(filter: LogQuery): string {
  const { level, client, text } = filter
  return new URLSearchParams(
    Object.entries({ level, client, text }).filter((entry): entry is [string, string] =>
      Boolean(entry[1]),
    ),
  ).toString()
}
