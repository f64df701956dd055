import { Anchor, Button, Group, Modal, Stack, Text } from "@mantine/core"
import { type FormEvent, useState } from "react"
import { PassphraseField } from "../../shared/components/PassphraseField"
import { ProblemAlert } from "../../shared/components/ProblemAlert"
import { useAction } from "../../shared/hooks/useAction"
import { useEngine } from "./engine"

/** Asks for the passphrase again. What is under way waits behind it and goes on. */
export function SessionExpired(props: { username: string }) {
  const { session } = useEngine()
  const [passphrase, setPassphrase] = useState("")
  const renew = useAction(() => session.renew(passphrase))

  function submit(event: FormEvent) {
    event.preventDefault()
    renew.run()
  }

  return (
    <Modal
      opened
      onClose={() => {}}
      withCloseButton={false}
      closeOnEscape={false}
      closeOnClickOutside={false}
      title="Please sign in again"
    >
      <form onSubmit={submit}>
        <Stack gap="md">
          <Text size="sm">
            Your session has ended. Your transfers are paused, and go on as soon as you are back.
          </Text>
          {renew.problem && <ProblemAlert problem={renew.problem} />}
          {/* Tells password managers whose passphrase it is. */}
          <input type="hidden" name="username" autoComplete="username" value={props.username} />
          <PassphraseField
            label={`Passphrase of ${props.username}`}
            autoComplete="current-password"
            required
            withAsterisk={false}
            data-autofocus
            value={passphrase}
            onChange={(e) => setPassphrase(e.currentTarget.value)}
          />
          <Group justify="space-between">
            <Anchor component="button" type="button" size="sm" onClick={() => session.signOut()}>
              Sign out
            </Anchor>
            <Button type="submit" loading={renew.busy}>
              Continue
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
