import { Button, Center, Loader } from "@mantine/core"
import { Outlet } from "@tanstack/react-router"
import { useEffect } from "react"
import { AuthCard } from "../../shared/components/AuthCard"
import { ProblemAlert } from "../../shared/components/ProblemAlert"
import { useAction } from "../../shared/hooks/useAction"
import { SignIn } from "../pages/SignIn"
import { useConsole, useSession } from "./console"

/** Stands before every page: who is not signed in signs in first, and then finds the page asked for. */
export function Gate() {
  const { check } = useConsole()
  const session = useSession()
  const asking = useAction(check)
  const { run } = asking
  useEffect(() => {
    if (session === "unknown") run()
  }, [session, run])

  if (session === "signed-in") return <Outlet />
  if (session === "signed-out") return <SignIn />
  if (asking.problem) {
    return (
      <AuthCard title="One moment" name="Coffer console">
        <ProblemAlert
          problem={asking.problem}
          action={
            <Button size="xs" variant="default" loading={asking.busy} onClick={run}>
              Try again
            </Button>
          }
        />
      </AuthCard>
    )
  }
  return (
    <Center mih="60dvh">
      <Loader aria-label="Loading the page" />
    </Center>
  )
}
