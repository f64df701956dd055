import { Loader } from "@mantine/core"
import { createRootRoute, createRoute, createRouter } from "@tanstack/react-router"
import { NotFound } from "../../shared/components/NotFound"
import { lazyPage } from "../../shared/lazyPage"
import type { ActivityKind, LogLevel, Outcome } from "../api/client"
import { Broken } from "../pages/Broken"
import { Dashboard } from "../pages/Dashboard"
import { Gate } from "./Gate"
import { Layout } from "./Layout"
import { kinds, levels, outcomes } from "./words"

const root = createRootRoute({ component: Gate })

const framed = createRoute({ getParentRoute: () => root, id: "framed", component: Layout })

const dashboard = createRoute({ getParentRoute: () => framed, path: "/", component: Dashboard })

const sorts = ["name", "last_seen", "created", "files", "bytes"] as const
export type ClientSort = (typeof sorts)[number]

export type ClientSearch = {
  search?: string
  sort?: ClientSort
  descending?: boolean
  page?: number
}

const clients = createRoute({
  getParentRoute: () => framed,
  path: "/clients",
  validateSearch: (search): ClientSearch => ({
    search: text(search.search),
    sort: oneOf(sorts, search.sort),
    descending: typeof search.descending === "boolean" ? search.descending : undefined,
    page: typeof search.page === "number" && search.page > 1 ? Math.floor(search.page) : undefined,
  }),
  component: lazyPage(() => import("../pages/Clients"), "Clients"),
})

const client = createRoute({
  getParentRoute: () => framed,
  path: "/clients/$name",
  component: lazyPage(() => import("../pages/Client"), "Client"),
})

const transfers = createRoute({
  getParentRoute: () => framed,
  path: "/transfers",
  component: lazyPage(() => import("../pages/Transfers"), "Transfers"),
})

const storage = createRoute({
  getParentRoute: () => framed,
  path: "/storage",
  component: lazyPage(() => import("../pages/Storage"), "Storage"),
})

export type ActivitySearch = { client?: string; kind?: ActivityKind; outcome?: Outcome }

const activity = createRoute({
  getParentRoute: () => framed,
  path: "/activity",
  validateSearch: (search): ActivitySearch => ({
    client: text(search.client),
    kind: oneOf(Object.keys(kinds) as ActivityKind[], search.kind),
    outcome: oneOf(Object.keys(outcomes) as Outcome[], search.outcome),
  }),
  component: lazyPage(() => import("../pages/Activity"), "Activity"),
})

export type LogSearch = { level?: LogLevel; client?: string; text?: string }

const logs = createRoute({
  getParentRoute: () => framed,
  path: "/logs",
  validateSearch: (search): LogSearch => ({
    level: oneOf(Object.keys(levels) as LogLevel[], search.level),
    client: text(search.client),
    text: text(search.text),
  }),
  component: lazyPage(() => import("../pages/Logs"), "Logs"),
})

const doctor = createRoute({
  getParentRoute: () => framed,
  path: "/doctor",
  component: lazyPage(() => import("../pages/Doctor"), "Doctor"),
})

const settings = createRoute({
  getParentRoute: () => framed,
  path: "/settings",
  component: lazyPage(() => import("../pages/Settings"), "Settings"),
})

const notFound = createRoute({ getParentRoute: () => framed, path: "$", component: NotFound })

/** The words of a search in the address, where numbers may have been read as such. */
function text(value: unknown): string | undefined {
  return (typeof value === "string" && value !== "") || typeof value === "number"
    ? String(value).slice(0, 254)
    : undefined
}

function oneOf<T>(values: readonly T[], value: unknown): T | undefined {
  return values.find((one) => one === value)
}

export function makeRouter() {
  return createRouter({
    routeTree: root.addChildren([
      framed.addChildren([
        dashboard,
        clients,
        client,
        transfers,
        storage,
        activity,
        logs,
        doctor,
        settings,
        notFound,
      ]),
    ]),
    defaultPreload: "intent",
    scrollRestoration: true,
    defaultErrorComponent: Broken,
    defaultPendingComponent: () => <Loader m="xl" aria-label="Loading the page" />,
  })
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>
  }
}
