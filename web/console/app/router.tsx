import { Loader } from "@mantine/core"
import { createRootRoute, createRoute, createRouter } from "@tanstack/react-router"
import { NotFound } from "../../shared/components/NotFound"
import { lazyPage } from "../../shared/lazyPage"
import { Broken } from "../pages/Broken"
import { Dashboard } from "../pages/Dashboard"
import { Gate } from "./Gate"
import { Layout } from "./Layout"
import { activitySearch, clientSearch, logSearch } from "./search"

const root = createRootRoute({ component: Gate })

const framed = createRoute({ getParentRoute: () => root, id: "framed", component: Layout })

const dashboard = createRoute({ getParentRoute: () => framed, path: "/", component: Dashboard })

const clients = createRoute({
  getParentRoute: () => framed,
  path: "/clients",
  validateSearch: clientSearch,
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

const activity = createRoute({
  getParentRoute: () => framed,
  path: "/activity",
  validateSearch: activitySearch,
  component: lazyPage(() => import("../pages/Activity"), "Activity"),
})

const logs = createRoute({
  getParentRoute: () => framed,
  path: "/logs",
  validateSearch: logSearch,
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
