import { Loader } from "@mantine/core"
import { createRootRoute, createRoute, createRouter, Outlet } from "@tanstack/react-router"
import { NotFound } from "../../shared/components/NotFound"
import { lazyPage } from "../../shared/lazyPage"
import { Dashboard } from "../pages/Dashboard"
import { Gate } from "./Gate"
import { Layout } from "./Layout"

const root = createRootRoute({ component: Gate })

const framed = createRoute({ getParentRoute: () => root, id: "framed", component: Layout })

const dashboard = createRoute({ getParentRoute: () => framed, path: "/", component: Dashboard })

const transfers = createRoute({
  getParentRoute: () => framed,
  path: "/transfers",
  component: lazyPage(() => import("../pages/Transfers"), "Transfers"),
})

const files = createRoute({
  getParentRoute: () => framed,
  path: "/files",
  validateSearch: (search): { file?: string } =>
    typeof search.file === "string" ? { file: search.file } : {},
  component: lazyPage(() => import("../pages/Files"), "Files"),
})

const settings = createRoute({
  getParentRoute: () => framed,
  path: "/settings",
  component: lazyPage(() => import("../pages/Settings"), "Settings"),
})

const notFound = createRoute({ getParentRoute: () => framed, path: "$", component: NotFound })

const recoveryFile = createRoute({
  getParentRoute: () => root,
  path: "/recovery-file",
  component: lazyPage(() => import("../pages/RecoveryFile"), "RecoveryFile"),
})

/** Registering has an address, so that it can be linked to; what is seen there is the gate's doing. */
const register = createRoute({ getParentRoute: () => root, path: "/register", component: Outlet })

export function makeRouter() {
  return createRouter({
    routeTree: root.addChildren([
      framed.addChildren([dashboard, transfers, files, settings, notFound]),
      recoveryFile,
      register,
    ]),
    defaultPreload: "intent",
    scrollRestoration: true,
    defaultPendingComponent: () => <Loader m="xl" aria-label="Loading the page" />,
  })
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>
  }
}
