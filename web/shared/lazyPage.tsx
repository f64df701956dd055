/**
 * Pages that come after the first one was painted. One that did not come, because
 * the server is away, says so in its place and is fetched again until it is there.
 */
import { Button, Center, Loader } from "@mantine/core"
import type { AnyRoute, AnyRouter, AsyncRouteComponent } from "@tanstack/react-router"
import { type ComponentType, useEffect, useSyncExternalStore } from "react"
import { ProblemAlert } from "./components/ProblemAlert"
import { Watched } from "./watched"

type State = { component?: ComponentType; away: boolean }

/** A first pause between two tries, and the longest, in milliseconds. */
const pause = 1_000
const longestPause = 8_000

/** What is fetched, once for all who want it. */
class Fetched extends Watched<State> {
  private fetching: Promise<void> | undefined
  private tries = 0
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly load: () => Promise<ComponentType>) {
    super({ away: false })
  }

  /** Has it fetched, if it is not there and not on its way. Never rejects: it goes on by itself. */
  want = (): Promise<void> => {
    if (this.getSnapshot().component) return Promise.resolve()
    clearTimeout(this.timer)
    this.fetching ??= this.attempt().finally(() => {
      this.fetching = undefined
    })
    return this.fetching
  }

  private async attempt() {
    this.tries++
    try {
      this.replace({ component: await this.load().catch((error) => this.anew(error)), away: false })
    } catch {
      this.replace({ away: true })
      const wait = Math.min(longestPause, pause * 2 ** Math.min(this.tries - 1, 5))
      this.timer = setTimeout(this.want, wait)
    }
  }

  /** Some browsers remember that a script did not come, and ask again only for another address. */
  private async anew(error: unknown): Promise<ComponentType> {
    const address = /https?:\/\/\S+/.exec(error instanceof Error ? error.message : "")?.[0]
    if (this.tries === 1 || !address) throw error
    const module = await import(/* @vite-ignore */ `${address}?again=${this.tries}`)
    const found = Object.values(module).find((one) => typeof one === "function")
    if (!found) throw error
    return found as ComponentType
  }
}

/** A route's component that is fetched when it is wanted. */
export function lazyPage<K extends string>(
  load: () => Promise<Record<K, ComponentType>>,
  name: K,
): AsyncRouteComponent<object> & ComponentType {
  const page = new Fetched(async () => (await load())[name])
  return Object.assign(() => <WhenThere page={page} />, { preload: page.want })
}

function WhenThere(props: { page: Fetched }) {
  const { page } = props
  const { component: Found, away } = useSyncExternalStore(page.subscribe, page.getSnapshot)
  useEffect(() => {
    void page.want()
  }, [page])
  if (Found) return <Found />
  if (away) return <PageAway again={page.want} />
  return (
    <Center mih="60dvh">
      <Loader aria-label="Loading the page" />
    </Center>
  )
}

function PageAway(props: { again: () => void }) {
  return (
    <ProblemAlert
      problem={{
        title: "This page has not come yet",
        message: "The server does not answer.",
        advice: "The page is asked for again and again, and opens by itself when it is there.",
      }}
      action={
        <Button size="xs" variant="default" onClick={props.again}>
          Try now
        </Button>
      }
    />
  )
}

/** Fetches every page, so that each can be opened while the server is away. */
export async function loadPages(router: AnyRouter): Promise<void> {
  const routes: AnyRoute[] = Object.values(router.routesById)
  await Promise.allSettled(routes.map((route) => router.loadRouteChunk(route)))
}

/** Calls back once the browser has painted what is there, and has nothing more urgent to do. */
export function afterPaint(call: () => void): () => void {
  let idle = 0
  const frame = requestAnimationFrame(() => {
    idle = setTimeout(call) as unknown as number
  })
  return () => {
    cancelAnimationFrame(frame)
    clearTimeout(idle)
  }
}
