import { createContext, type ReactNode, useCallback, useContext, useSyncExternalStore } from "react"
import type { Store } from "../../shared/watched"
import type { Download, Engine, QueueSnapshot, SessionState, Settings } from "../engine/types"

const EngineContext = createContext<Engine | undefined>(undefined)

export function EngineProvider(props: { engine: Engine; children: ReactNode }) {
  return <EngineContext.Provider value={props.engine}>{props.children}</EngineContext.Provider>
}

/** What does the work: the session, the queue of uploads, the restores. A component only asks it to. */
export function useEngine(): Engine {
  const engine = useContext(EngineContext)
  if (!engine) throw new Error("There is no engine around this component.")
  return engine
}

function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.getSnapshot)
}

export function useSession(): SessionState {
  return useStore(useEngine().session)
}

export function useQueue(): QueueSnapshot {
  return useStore(useEngine().queue)
}

export function useRestores(): readonly Download[] {
  return useStore(useEngine().restore)
}

export function useSettings(): [Settings, (change: Partial<Settings>) => void] {
  const { settings } = useEngine()
  return [useStore(settings), useCallback((change) => settings.set(change), [settings])]
}
