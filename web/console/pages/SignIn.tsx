import { Button, Code, Stack } from "@mantine/core"
import { type FormEvent, useState } from "react"
import { AuthCard } from "../../shared/components/AuthCard"
import { PassphraseField } from "../../shared/components/PassphraseField"
import { ProblemAlert } from "../../shared/components/ProblemAlert"
import { useAction } from "../../shared/hooks/useAction"
import { useConsole } from "../app/console"

export function SignIn() {
  const console = useConsole()
  const [token, setToken] = useState("")
  const signIn = useAction(() => console.signIn(token.trim()))

  function submit(event: FormEvent) {
    event.preventDefault()
    signIn.run()
  }

  return (
    <AuthCard
      title="Sign in"
      name="Coffer console"
      description={
        <>
          Open the link that the server printed when it started, or enter the token: it is in{" "}
          <Code>console.token</Code> in the server’s data folder, unless you set your own.
        </>
      }
    >
      <form onSubmit={submit}>
        <Stack gap="md">
          {signIn.problem && <ProblemAlert problem={signIn.problem} />}
          <PassphraseField
            label="Token"
            what="token"
            name="token"
            autoFocus
            autoComplete="current-password"
            required
            withAsterisk={false}
            value={token}
            onChange={(e) => setToken(e.currentTarget.value)}
          />
          <Button type="submit" loading={signIn.busy} fullWidth mt="xs">
            Sign in
          </Button>
        </Stack>
      </form>
    </AuthCard>
  )
}
