import { Button, Group, Modal, Stack, Text } from "@mantine/core"
import { createContext, type ReactNode, useCallback, useContext, useState } from "react"
import { ProblemAlert } from "../../shared/components/ProblemAlert"
import type { Problem } from "../../shared/problem"
import { isSealed } from "../engine/format"
import { doubtful } from "../engine/seen"
import type { FileEntry } from "../engine/types"

type Ask = (entry: FileEntry, restore: () => void) => void

const AskContext = createContext<Ask>(() => {})

/** What is to be asked before a file is restored; nothing, if it is sealed and as it was seen. */
export function questionOf(entry: FileEntry): Problem | undefined {
  if (entry.doubt) return doubtful(entry.doubt)
  return isSealed(entry) ? undefined : unsealed
}

const unsealed: Problem = {
  title: "This file is not sealed",
  message:
    "Your keys did not seal it: the server, or whoever changed its traffic, could have made it.",
  advice: "Restore it only if you know that it was sent without a seal.",
  kind: "doubt",
}

/** Asks, in red, before what cannot be trusted by itself is restored. */
export function RestoreQuestion(props: { children: ReactNode }) {
  const [asked, setAsked] = useState<{ entry: FileEntry; restore: () => void }>()
  const ask = useCallback<Ask>((entry, restore) => setAsked({ entry, restore }), [])
  const problem = asked && (questionOf(asked.entry) ?? unsealed)
  const close = () => setAsked(undefined)
  return (
    <AskContext.Provider value={ask}>
      {props.children}
      <Modal opened={asked !== undefined} onClose={close} title="Restore it anyway?">
        {asked && problem && (
          <Stack gap="md">
            <ProblemAlert problem={problem} />
            <Text size="sm" style={{ overflowWrap: "anywhere" }}>
              <b>{asked.entry.filename}</b>, version {asked.entry.version}
            </Text>
            <Group justify="flex-end" gap="xs">
              <Button variant="default" onClick={close} data-autofocus>
                Do not restore
              </Button>
              <Button
                color="red.9"
                onClick={() => {
                  close()
                  asked.restore()
                }}
              >
                Restore it all the same
              </Button>
            </Group>
          </Stack>
        )}
      </Modal>
    </AskContext.Provider>
  )
}

export function useRestoreQuestion(): Ask {
  return useContext(AskContext)
}
