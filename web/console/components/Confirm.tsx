import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core"
import { type FormEvent, type ReactNode, useState } from "react"
import { ProblemAlert } from "../../shared/components/ProblemAlert"
import { useAction } from "../../shared/hooks/useAction"

/** Asks before something that cannot be undone, or that others will feel. */
export function Confirm(props: {
  opened: boolean
  title: string
  /** What will be. */
  children: ReactNode
  /** What must be typed to go on. */
  typed?: string
  keep: string
  action: string
  harmless?: boolean
  onClose: () => void
  onConfirm: () => Promise<unknown>
}) {
  return (
    <Modal opened={props.opened} onClose={props.onClose} title={props.title}>
      {/* Made anew each time that it is opened: nothing is typed yet. */}
      <Question {...props} />
    </Modal>
  )
}

function Question(props: Parameters<typeof Confirm>[0]) {
  const { typed, onClose, onConfirm } = props
  const [words, setWords] = useState("")
  const confirm = useAction(async () => {
    await onConfirm()
    onClose()
  })
  const may = typed === undefined || words === typed

  function submit(event: FormEvent) {
    event.preventDefault()
    if (may) confirm.run()
  }

  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <Text size="sm" component="div" style={{ overflowWrap: "anywhere" }}>
          {props.children}
        </Text>
        {confirm.problem && <ProblemAlert problem={confirm.problem} />}
        {typed !== undefined && (
          <TextInput
            label={
              <>
                Type <b>{typed}</b> to confirm
              </>
            }
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            data-autofocus
            value={words}
            onChange={(e) => setWords(e.currentTarget.value)}
          />
        )}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose} data-autofocus={typed === undefined}>
            {props.keep}
          </Button>
          <Button
            type="submit"
            color={props.harmless ? undefined : "red.9"}
            loading={confirm.busy}
            disabled={!may}
          >
            {props.action}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
