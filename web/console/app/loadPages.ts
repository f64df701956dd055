import type { AnyRoute, RegisteredRouter } from "@tanstack/react-router"

/** Fetches every page, so that each can be opened while the server is away. */
export async function loadPages(router: RegisteredRouter) {
  const routes: AnyRoute[] = Object.values(router.routesById)
  // What is not here yet is fetched when it is opened.
  await Promise.allSettled(routes.map((route) => router.loadRouteChunk(route)))
}
