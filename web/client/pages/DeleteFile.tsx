import { Button, Group, Modal, Stack, Text } from "@mantine/core"
import { ProblemAlert } from "../../shared/components/ProblemAlert"
import { useAction } from "../../shared/hooks/useAction"
import { useDeleteFile } from "../app/queries"
import type { FileEntry } from "../engine/types"

/** Asks before a file, or one version of it, is removed from the server. */
export function DeleteFile(props: {
  file: FileEntry | undefined
  /** Only this one; without it the file goes with all its versions. */
  version?: number
  onClose: () => void
  onDeleted: () => void
}) {
  const { file, version } = props
  const remove = useDeleteFile()
  const action = useAction(async () => {
    if (!file) return
    await remove(file.filename, version)
    props.onClose()
    props.onDeleted()
  })

  return (
    <Modal
      opened={file !== undefined}
      onClose={props.onClose}
      title={version === undefined ? "Delete this file?" : `Delete version ${version}?`}
    >
      {file && (
        <Stack gap="md">
          <Text size="sm" style={{ overflowWrap: "anywhere" }}>
            {version === undefined ? (
              <>
                <b>{file.filename}</b> goes from the server with all its versions. This cannot be
                undone.
              </>
            ) : (
              <>
                Version {version} of <b>{file.filename}</b> goes from the server. Other versions
                stay. This cannot be undone.
              </>
            )}
          </Text>
          {action.problem && <ProblemAlert problem={action.problem} />}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={props.onClose} data-autofocus>
              Keep it
            </Button>
            <Button color="red.9" loading={action.busy} onClick={action.run}>
              Delete
            </Button>
          </Group>
        </Stack>
      )}
    </Modal>
  )
}
