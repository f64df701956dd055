import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query"
import type { Tone } from "../../shared/components/StatusDot"
import type { Problem } from "../../shared/problem"
import { toProblem } from "../../shared/problem"
import type { Activity, ActivityQuery, ClientQuery, LogQuery, Window } from "../api/client"
import { useConsole, useLive } from "./console"

/** A query whose error is already put in words. While the server is away the frame says so, and no page need. */
function withProblem<T extends { error: unknown }>(query: T): T & { problem: Problem | undefined } {
  const problem = query.error ? toProblem(query.error) : undefined
  return { ...query, problem: problem?.kind === "network" ? undefined : problem }
}

export function useHistory(window: Window) {
  const { api } = useConsole()
  const live = useLive((live) => live.state === "live")
  return withProblem(
    useQuery({
      queryKey: ["history", window],
      queryFn: () => api.history(window),
      // As often as there is another sample.
      refetchInterval: live && (window === "hour" ? 10_000 : 60_000),
      placeholderData: keepPreviousData,
    }),
  )
}

/** What happened, the newest first: what the server keeps, a page at a time, and before it what it has pushed since. */
export function useActivities(filter: ActivityQuery) {
  const { api } = useConsole()
  const pushed = useLive((live) => live.activities)
  const query = useInfiniteQuery({
    queryKey: ["activities", filter],
    queryFn: ({ pageParam }) => api.activities({ ...filter, before: pageParam }),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (page) => page.next,
  })
  const listed = query.data?.pages.flatMap((page) => page.activities)
  const newest = listed?.[0]?.id ?? 0
  const fresh = pushed.filter((activity) => activity.id > newest && matches(activity, filter))
  return { ...withProblem(query), activities: listed && [...fresh, ...listed] }
}

function matches(activity: Activity, filter: ActivityQuery): boolean {
  return (
    (filter.client === undefined || activity.client?.name === filter.client) &&
    (filter.outcome === undefined || activity.outcome === filter.outcome) &&
    (filter.kind === undefined || filter.kind.includes(activity.kind))
  )
}

export function useClients(query: ClientQuery) {
  const { api } = useConsole()
  return withProblem(
    useQuery({
      queryKey: ["clients", query],
      queryFn: () => api.clients(query),
      placeholderData: keepPreviousData,
    }),
  )
}

export function useClient(name: string) {
  const { api } = useConsole()
  return withProblem(useQuery({ queryKey: ["client", name], queryFn: () => api.clientNamed(name) }))
}

export function useFiles(name: string) {
  const { api } = useConsole()
  return withProblem(
    useInfiniteQuery({
      queryKey: ["files", name],
      queryFn: ({ pageParam }) => api.files(name, pageParam),
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (page) => page.next,
    }),
  )
}

/** Uploads in progress, as the server pushes them, and uploads that ended recently. */
export function useTransfers() {
  const { api } = useConsole()
  const pushed = useLive((live) => live.transfers)
  const query = useQuery({ queryKey: ["transfers"], queryFn: () => api.transfers() })
  return {
    ...withProblem(query),
    transfers: pushed ?? query.data?.transfers,
    ended: query.data?.ended,
  }
}

export function useStorage() {
  const { api } = useConsole()
  const live = useLive((live) => live.state === "live")
  return withProblem(
    useQuery({
      queryKey: ["storage"],
      queryFn: () => api.storage(),
      refetchInterval: live && 10_000,
    }),
  )
}

export function useLogs(filter: LogQuery) {
  const { api } = useConsole()
  return withProblem(
    useInfiniteQuery({
      queryKey: ["logs", filter],
      queryFn: ({ pageParam }) => api.logs({ ...filter, before: pageParam }),
      initialPageParam: undefined as number | undefined,
      getNextPageParam: (page) => page.next,
    }),
  )
}

export function useSettings() {
  const { api } = useConsole()
  return withProblem(useQuery({ queryKey: ["settings"], queryFn: () => api.settings() }))
}

export function useBackups() {
  const { api } = useConsole()
  return withProblem(useQuery({ queryKey: ["backups"], queryFn: () => api.backups() }))
}

export function useFailures() {
  const { api } = useConsole()
  return withProblem(useQuery({ queryKey: ["failures"], queryFn: () => api.failures() }))
}

/** How the server is, in words. */
export function useServerHealth(): { tone: Tone; title: string; explanation: string } {
  const state = useLive((live) => live.state)
  const database = useLive((live) => live.stats?.database)
  const storage = useLive((live) => live.stats?.storage)
  if (state === "away") {
    return {
      tone: "bad",
      title: "Server is away",
      explanation: "It does not answer. This page tries again by itself.",
    }
  }
  if (state === "connecting") {
    return { tone: "idle", title: "Connecting", explanation: "One moment." }
  }
  if (database !== "operational") {
    return {
      tone: "bad",
      title: "Database is failing",
      explanation: "The catalog cannot be written or read. The log says why.",
    }
  }
  if (storage === "full") {
    return {
      tone: "warn",
      title: "Storage is full",
      explanation: "Uploads are refused until there is room. Restoring and removing go on.",
    }
  }
  if (storage !== "operational") {
    return {
      tone: "bad",
      title: "Storage is failing",
      explanation: "Blobs cannot be written or read. The log says why.",
    }
  }
  return {
    tone: "good",
    title: "Live",
    explanation: "The server is well. Figures come each second.",
  }
}
