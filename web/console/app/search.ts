/** What the addresses of lists carry: how a list is filtered and sorted. */
import type { ActivityKind, LogLevel, Outcome } from "../api/client"
import { kinds, levels, outcomes } from "./words"

const sorts = ["name", "last_seen", "created", "files", "bytes"] as const
export type ClientSort = (typeof sorts)[number]

export type ClientSearch = {
  search?: string
  sort?: ClientSort
  descending?: boolean
  page?: number
}

export type ActivitySearch = { client?: string; kind?: ActivityKind; outcome?: Outcome }

export type LogSearch = { level?: LogLevel; client?: string; text?: string }

/** A search as it stands in an address, which anybody may have typed. */
type Raw = Record<string, unknown>

export function clientSearch({ search, sort, descending, page }: Raw): ClientSearch {
  return {
    search: text(search),
    sort: oneOf(sorts, sort),
    descending: typeof descending === "boolean" ? descending : undefined,
    page: typeof page === "number" && page > 1 ? Math.floor(page) : undefined,
  }
}

export function activitySearch({ client, kind, outcome }: Raw): ActivitySearch {
  return {
    client: text(client),
    kind: oneOf(Object.keys(kinds) as ActivityKind[], kind),
    outcome: oneOf(Object.keys(outcomes) as Outcome[], outcome),
  }
}

export function logSearch(search: Raw): LogSearch {
  return {
    level: oneOf(Object.keys(levels) as LogLevel[], search.level),
    client: text(search.client),
    text: text(search.text),
  }
}

/** Words of a search, where numbers may have been read as such. */
function text(value: unknown): string | undefined {
  return (typeof value === "string" && value !== "") || typeof value === "number"
    ? String(value).slice(0, 254)
    : undefined
}

function oneOf<T>(values: readonly T[], value: unknown): T | undefined {
  return values.find((one) => one === value)
}
