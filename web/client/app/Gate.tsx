import { Center, Loader } from "@mantine/core"
import { Navigate, Outlet, useRouterState } from "@tanstack/react-router"
import { lazy, Suspense } from "react"
import { lazyPage } from "../../shared/lazyPage"
import { SignIn } from "../pages/SignIn"
import { useSession } from "./engine"
import { SessionExpired } from "./SessionExpired"

const Register = lazyPage(() => import("../pages/Register"), "Register")
const NeedsKeys = lazy(() => import("../pages/NeedsKeys").then((m) => ({ default: m.NeedsKeys })))

/** Stands before every page: who is not signed in signs in first, and then finds the page asked for. */
export function Gate() {
  const session = useSession()
  const path = useRouterState({ select: (s) => s.location.pathname })

  return (
    <Suspense fallback={<Waiting />}>
      {session.state === "signed-out" ? (
        path === "/register" ? (
          <Register />
        ) : (
          <SignIn />
        )
      ) : session.state === "needs-keys" ? (
        <NeedsKeys username={session.username} />
      ) : path === "/register" ? (
        // Somebody has just registered.
        <Navigate to="/recovery-file" replace />
      ) : (
        <Outlet />
      )}
      {session.state === "expired" && <SessionExpired username={session.username} />}
    </Suspense>
  )
}

function Waiting() {
  return (
    <Center mih="60dvh">
      <Loader aria-label="Loading the page" />
    </Center>
  )
}
