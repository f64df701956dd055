import { localStorageColorSchemeManager, MantineProvider } from "@mantine/core"
import { Notifications } from "@mantine/notifications"
import { QueryClient, QueryClientProvider } from "@tanstack/react-query"
import { RouterProvider } from "@tanstack/react-router"
import { useEffect, useState } from "react"
import { colorSchemeKey } from "../../shared/hooks/preferences"
import { afterPaint, loadPages } from "../../shared/lazyPage"
import { toProblem } from "../../shared/problem"
import { cssVariables, theme } from "../../shared/theme"
import type { Engine } from "../engine/types"
import { EngineProvider } from "./engine"
import { askAgain, findsNoServer, statusKey } from "./queries"
import { makeRouter } from "./router"

/** The whole page around an engine. */
export function App(props: { engine: Engine }) {
  const { engine } = props
  const [client] = useState(makeQueryClient)
  const [router] = useState(makeRouter)
  const [colorScheme] = useState(() => localStorageColorSchemeManager({ key: colorSchemeKey }))
  useEffect(() => keepFresh(engine, client), [engine, client])
  useEffect(() => afterPaint(() => void loadPages(router)), [router])

  return (
    <MantineProvider
      theme={theme}
      cssVariablesResolver={cssVariables}
      colorSchemeManager={colorScheme}
      defaultColorScheme="auto"
    >
      <Notifications position="bottom-right" autoClose={6_000} limit={4} />
      <EngineProvider engine={engine}>
        <QueryClientProvider client={client}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </EngineProvider>
    </MantineProvider>
  )
}

function makeQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 15_000,
        // Only what a second attempt may mend is tried again.
        retry: (failures, error) =>
          failures < 2 && ["network", "server"].includes(toProblem(error).kind),
      },
    },
  })
}

/** Has the lists fetched anew after an upload was verified, and forgets them when another person signs in. */
function keepFresh(engine: Engine, client: QueryClient): () => void {
  let verified = countVerified(engine)
  let timer: ReturnType<typeof setTimeout> | undefined
  const queue = engine.queue.subscribe(() => {
    const now = countVerified(engine)
    if (now > verified) {
      // Once for many small files. Lists that are not on the screen as well: they will be.
      timer ??= setTimeout(() => {
        timer = undefined
        for (const queryKey of [["files"], ["file"], ["account"]]) {
          client.invalidateQueries({ queryKey, refetchType: "all" })
        }
      }, 300)
    }
    verified = now
  })
  let state = engine.session.getSnapshot().state
  const session = engine.session.subscribe(() => {
    const now = engine.session.getSnapshot().state
    if (now === "signed-out") client.clear()
    // Questions that came while the session was over are asked again.
    else if (now === "signed-in" && state !== now) client.invalidateQueries()
    state = now
  })
  const cache = client.getQueryCache().subscribe((event) => {
    if (event.type !== "updated" || event.action.type !== "error") return
    if (event.query.queryKey[0] === statusKey || !event.query.isActive()) return
    if (toProblem(event.action.error).kind !== "network") return
    // The server's state is looked at at once, not only when its time comes.
    void client.invalidateQueries({ queryKey: [statusKey] }, { cancelRefetch: false })
  })
  // What found no server is asked for again, and nobody has to press anything.
  const again = setInterval(() => {
    if (findsNoServer(client)) void askAgain(client)
  }, 5_000)
  return () => {
    clearTimeout(timer)
    queue()
    session()
    cache()
    clearInterval(again)
  }
}

function countVerified(engine: Engine): number {
  return engine.queue.getSnapshot().transfers.filter((t) => t.state === "verified").length
}
