import { type QueryClient, useQuery, useQueryClient } from "@tanstack/react-query"
import { useCallback, useSyncExternalStore } from "react"
import type { Tone } from "../../shared/components/StatusDot"
import type { Problem } from "../../shared/problem"
import { toProblem } from "../../shared/problem"
import type { Status } from "../engine/types"
import { useEngine } from "./engine"

/** A query whose error is already put in words. */
function withProblem<T extends { error: unknown }>(query: T): T & { problem: Problem | undefined } {
  return { ...query, problem: query.error ? toProblem(query.error) : undefined }
}

export function useAccount() {
  const { server } = useEngine()
  return withProblem(useQuery({ queryKey: ["account"], queryFn: () => server.account() }))
}

/** All files, newest version each. Searching and sorting are done here, so all pages are fetched. */
export function useFiles() {
  const { server } = useEngine()
  return withProblem(useQuery({ queryKey: ["files"], queryFn: () => server.files() }))
}

export function useFileDetails(name: string | undefined) {
  const { server } = useEngine()
  return withProblem(
    useQuery({
      queryKey: ["file", name],
      queryFn: () => server.file(name ?? ""),
      enabled: name !== undefined,
    }),
  )
}

/** Removes a file, or one version of it, and has the lists fetched anew. */
export function useDeleteFile() {
  const { server } = useEngine()
  const client = useQueryClient()
  return async (name: string, version?: number) => {
    await server.remove(name, version)
    await Promise.all([
      client.invalidateQueries({ queryKey: ["files"] }),
      client.invalidateQueries({ queryKey: ["account"] }),
      version === undefined
        ? client.removeQueries({ queryKey: ["file", name] })
        : client.invalidateQueries({ queryKey: ["file", name] }),
    ])
  }
}

/** Whether a question of a list or an account that is on the page found no server. */
export function findsNoServer(client: QueryClient): boolean {
  return client
    .getQueryCache()
    .getAll()
    .some((query) => query.isActive() && query.state.error && isNetwork(query.state.error))
}

/** So long an answer that no server was found stands before it is asked for again, in milliseconds. */
const patience = 5_000

/** Asks again what found no server a while ago. */
export function askAgain(client: QueryClient) {
  return client.refetchQueries({
    type: "active",
    predicate: ({ queryKey, state }) =>
      queryKey[0] !== statusKey &&
      state.error !== null &&
      isNetwork(state.error) &&
      Date.now() - state.errorUpdatedAt > patience,
  })
}

function isNetwork(error: Error): boolean {
  return toProblem(error).kind === "network"
}

export const statusKey = "status"

/** How the server is, asked again and again, in words. */
export function useServerState(): {
  tone: Tone
  title: string
  explanation: string
  status?: Status
} {
  const { server } = useEngine()
  const query = useQuery({
    queryKey: [statusKey],
    queryFn: () => server.status(),
    refetchInterval: 10_000,
    retry: 0,
  })
  const client = useQueryClient()
  const subscribe = useCallback(
    (listener: () => void) => client.getQueryCache().subscribe(listener),
    [client],
  )
  // Beside a list that found no server none is said to be running.
  const unreached = useSyncExternalStore(subscribe, () => findsNoServer(client))
  if (query.error || unreached) {
    return {
      tone: "bad",
      title: "Server not reached",
      explanation: "Transfers wait and resume when the server is back.",
    }
  }
  if (!query.data) return { tone: "idle", title: "Asking the server", explanation: "One moment." }
  const status = query.data
  if (!status.server_running) {
    return {
      tone: "bad",
      title: "Server is down",
      explanation: "The gateway answers, but the server behind it does not. Transfers wait.",
      status,
    }
  }
  if (status.database !== "operational" || status.storage !== "operational") {
    return {
      tone: "warn",
      title: "Server has trouble",
      explanation: "Its database or storage is not working properly. Contact the operator.",
      status,
    }
  }
  return {
    tone: "good",
    title: "Server is running",
    explanation: "It stores and returns backups.",
    status,
  }
}
