import { Anchor, Button, Stack, Text, TextInput } from "@mantine/core"
import { Link } from "@tanstack/react-router"
import { type FormEvent, useState } from "react"
import { AuthCard } from "../../shared/components/AuthCard"
import { PassphraseField } from "../../shared/components/PassphraseField"
import { ProblemAlert } from "../../shared/components/ProblemAlert"
import { useAction } from "../../shared/hooks/useAction"
import { useEngine } from "../app/engine"
import { lastAccount, rememberAccount } from "../app/lastAccount"

export function SignIn() {
  const { session } = useEngine()
  const [username, setUsername] = useState(lastAccount)
  const [known] = useState(username !== "")
  const [passphrase, setPassphrase] = useState("")
  const signIn = useAction(async () => {
    await session.signIn(username.trim(), passphrase)
    rememberAccount(username.trim())
  })

  function submit(event: FormEvent) {
    event.preventDefault()
    signIn.run()
  }

  return (
    <AuthCard
      title="Sign in"
      description="Your files are encrypted in this browser before they leave it."
      footer={
        <Text size="sm" c="dimmed">
          New here?{" "}
          <Anchor component={Link} to="/register" inherit>
            Create an account
          </Anchor>
        </Text>
      }
    >
      <form onSubmit={submit}>
        <Stack gap="md">
          {signIn.problem && <ProblemAlert problem={signIn.problem} />}
          <TextInput
            label="Account name"
            name="username"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            required
            autoFocus={!known}
            withAsterisk={false}
            value={username}
            onChange={(e) => setUsername(e.currentTarget.value)}
          />
          <PassphraseField
            label="Passphrase"
            name="passphrase"
            autoFocus={known}
            autoComplete="current-password"
            required
            withAsterisk={false}
            value={passphrase}
            onChange={(e) => setPassphrase(e.currentTarget.value)}
          />
          <Button type="submit" loading={signIn.busy} fullWidth mt="xs">
            Sign in
          </Button>
        </Stack>
      </form>
    </AuthCard>
  )
}
