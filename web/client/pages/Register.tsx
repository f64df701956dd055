import { Alert, Anchor, Button, Checkbox, Stack, Text, TextInput } from "@mantine/core"
import { IconAlertTriangle } from "@tabler/icons-react"
import { Link } from "@tanstack/react-router"
import { type FormEvent, useState } from "react"
import { AuthCard } from "../../shared/components/AuthCard"
import { ProblemAlert } from "../../shared/components/ProblemAlert"
import { useAction } from "../../shared/hooks/useAction"
import { useEngine } from "../app/engine"
import { rememberAccount } from "../app/lastAccount"
import { NewPassphrase, useNewPassphrase } from "../components/NewPassphrase"

export function Register() {
  const { session } = useEngine()
  const [username, setUsername] = useState("")
  const [understood, setUnderstood] = useState(false)
  const [step, setStep] = useState("")
  const passphrase = useNewPassphrase([username])

  const register = useAction(async () => {
    if (!(await passphrase.check())) return
    await session.register(username.trim(), passphrase.value, setStep)
    rememberAccount(username.trim())
  })

  function submit(event: FormEvent) {
    event.preventDefault()
    register.run()
  }

  return (
    <AuthCard
      title="Create an account"
      description="One account for this page and for the coffer command line."
      footer={
        <Text size="sm" c="dimmed">
          Already have an account?{" "}
          <Anchor component={Link} to="/" inherit>
            Sign in
          </Anchor>
        </Text>
      }
    >
      <form onSubmit={submit}>
        <Stack gap="md">
          {register.problem && <ProblemAlert problem={register.problem} />}
          <TextInput
            label="Account name"
            description="The server sees this name."
            name="username"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            maxLength={100}
            required
            autoFocus
            withAsterisk={false}
            value={username}
            onChange={(e) => setUsername(e.currentTarget.value)}
          />
          <NewPassphrase form={passphrase} />
          <Alert color="orange" variant="light" icon={<IconAlertTriangle aria-hidden />}>
            <Text size="sm">
              Your passphrase never leaves this browser, so nobody can reset it. If you lose it and
              have no recovery file, your files are lost.
            </Text>
          </Alert>
          <Checkbox
            label="I understand that a lost passphrase cannot be reset."
            checked={understood}
            required
            onChange={(e) => setUnderstood(e.currentTarget.checked)}
          />
          <Button type="submit" loading={register.busy} fullWidth>
            Create account
          </Button>
          <Text size="xs" c="dimmed" ta="center" aria-live="polite" className="quiet">
            {register.busy ? step : ""}
          </Text>
        </Stack>
      </form>
    </AuthCard>
  )
}
