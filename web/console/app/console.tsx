import { QueryClient } from "@tanstack/react-query"
import { createContext, type ReactNode, useContext, useSyncExternalStore } from "react"
import { toProblem } from "../../shared/problem"
import type { Store } from "../../shared/watched"
import { Watched } from "../../shared/watched"
import { type Activity, type ActivityKind, Api } from "../api/client"
import { type Live, LiveFeed } from "./live"

/** Whether the server accepts this browser: not yet known, no, or yes. */
export type Session = "unknown" | "signed-out" | "signed-in"

class SessionState extends Watched<Session> {
  set(session: Session) {
    if (session !== this.getSnapshot()) this.replace(session)
  }
}

export type Console = {
  api: Api
  session: Store<Session>
  live: Store<Live> & { stop: () => void }
  queries: QueryClient
  /** Asks the server whether it accepts this browser. */
  check: () => Promise<void>
  signIn: (token: string) => Promise<void>
  signOut: () => Promise<void>
}

/** The lists that show what an activity has changed. */
const changed: Partial<Record<ActivityKind, string[]>> = {
  registration: ["clients", "client"],
  key_exchange: ["clients", "client"],
  sign_in: ["clients", "client"],
  session_ended: ["clients", "client"],
  access: ["clients", "client"],
  suspended: ["clients", "client"],
  resumed: ["clients", "client"],
  upload: ["clients", "client", "files", "transfers", "storage"],
  removal: ["clients", "client", "files", "storage"],
  mismatch: ["transfers", "failures"],
  upload_dropped: ["transfers", "storage"],
  scrub: ["storage"],
  settings: ["settings"],
  backup: ["backups"],
  error: ["failures"],
}

/** Lists are fetched anew this long after something changed them, once for all that did. */
const settle = 1_000

export function startConsole(): Console {
  const queries = new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        // Only what a second attempt may mend is tried again.
        retry: (failures, error) =>
          failures < 2 && ["network", "server"].includes(toProblem(error).kind),
      },
    },
  })
  const session = new SessionState("unknown")

  let stale = new Set<string>()
  let allStale = false
  let waiting = false
  function note(activities: readonly Activity[]) {
    for (const { kind } of activities) for (const list of changed[kind] ?? []) stale.add(list)
    if (stale.size > 0) fetchLater()
  }

  // In a flood the server leaves events out each second.
  function missed() {
    allStale = true
    fetchLater()
  }

  function fetchLater() {
    if (waiting) return
    waiting = true
    setTimeout(() => {
      if (allStale) queries.invalidateQueries()
      else for (const list of stale) queries.invalidateQueries({ queryKey: [list] })
      stale = new Set()
      allStale = waiting = false
    }, settle)
  }

  const api = new Api(signedOut)
  const live = new LiveFeed({
    missed,
    activities: note,
    // A server that is away answers nothing: the feed says so, and goes on trying.
    refused: () => check().catch(() => {}),
  })

  function signedOut() {
    if (session.getSnapshot() === "signed-out") return
    live.stop()
    session.set("signed-out")
    queries.clear()
  }

  function signedIn() {
    session.set("signed-in")
    live.start()
  }

  async function check() {
    if (await api.signedIn()) signedIn()
  }

  return {
    api,
    session,
    live,
    queries,
    check,
    async signIn(token) {
      await api.signIn(token)
      signedIn()
    },
    async signOut() {
      await api.signOut()
      signedOut()
    },
  }
}

const ConsoleContext = createContext<Console | undefined>(undefined)

export function ConsoleProvider(props: { console: Console; children: ReactNode }) {
  return <ConsoleContext.Provider value={props.console}>{props.children}</ConsoleContext.Provider>
}

export function useConsole(): Console {
  const console = useContext(ConsoleContext)
  if (!console) throw new Error("There is no console around this component.")
  return console
}

export function useSession(): Session {
  const { session } = useConsole()
  return useSyncExternalStore(session.subscribe, session.getSnapshot)
}

/** A part of what the server pushes; the component is drawn anew when that part changes. */
export function useLive<T>(part: (live: Live) => T): T {
  const { live } = useConsole()
  return useSyncExternalStore(live.subscribe, () => part(live.getSnapshot()))
}
