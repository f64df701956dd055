import {
  Button,
  Code,
  CopyButton,
  DataList,
  Drawer,
  Group,
  Skeleton,
  Stack,
  Text,
  Title,
} from "@mantine/core"
import { IconCheck, IconCopy, IconDownload, IconTrash } from "@tabler/icons-react"
import { useState } from "react"
import { ProblemAlert } from "../../shared/components/ProblemAlert"
import { RowAction } from "../../shared/components/RowAction"
import { StatusDot } from "../../shared/components/StatusDot"
import { formatChecksum } from "../../shared/format"
import { useFormat } from "../../shared/hooks/preferences"
import { useFileDetails } from "../app/queries"
import { useStartRestore } from "../app/useStartRestore"
import { SealMarks } from "../components/SealMark"
import { isFolder, isSealed, isSnapshot } from "../engine/format"
import type { FileEntry } from "../engine/types"
import { DeleteFile } from "./DeleteFile"
import classes from "./FileDetails.module.css"

/** Everything that is known of one file, and its versions. */
export function FileDetails(props: {
  name: string | undefined
  onClose: () => void
  onDelete: (file: FileEntry) => void
}) {
  const details = useFileDetails(props.name)
  const startRestore = useStartRestore()
  const format = useFormat()
  const [deletingVersion, setDeletingVersion] = useState<FileEntry>()

  const file = details.data?.file
  const versions = [...(details.data?.versions ?? [])].sort((a, b) => b.version - a.version)

  return (
    <Drawer
      opened={props.name !== undefined}
      onClose={props.onClose}
      position="right"
      size="md"
      title={<span className={classes.title}>{props.name}</span>}
      closeButtonProps={{ "aria-label": "Close the details" }}
    >
      {details.problem && <ProblemAlert problem={details.problem} />}
      {details.isPending && props.name !== undefined && (
        <Stack gap="sm">
          {["a", "b", "c", "d"].map((key) => (
            <Skeleton key={key} height={18} />
          ))}
        </Stack>
      )}
      {file && (
        <Stack gap="xl">
          <Group gap="xs">
            {!isSnapshot(file) && (
              <Button
                leftSection={<IconDownload size={18} aria-hidden />}
                onClick={() => startRestore(file)}
              >
                Restore
              </Button>
            )}
            <Button
              variant="default"
              leftSection={<IconTrash size={18} aria-hidden />}
              onClick={() => props.onDelete(file)}
            >
              Delete
            </Button>
          </Group>

          {isSnapshot(file) && (
            <Text size="sm">
              This is a snapshot. Its name and size here are those that the server knows;{" "}
              <Code>coffer list</Code> shows its real name, and <Code>coffer restore</Code> restores
              it. Deleting it here deletes the snapshot.
            </Text>
          )}

          <DataList labelWidth="7.5rem" gap="xs">
            <Item label="Size">{format.bytes(file.original_size)}</Item>
            <Item label="On the server">{format.bytes(file.size)}, encrypted</Item>
            <Item label="Backed up">{format.date(new Date(file.created))}</Item>
            <Item label="Kind">{kind(file)}</Item>
            <Item label="Sealed">
              {isSealed(file)
                ? "Yes: only your keys open it"
                : file.format === "unknown"
                  ? "Not known: another client sent it"
                  : "No: the server could read it while it was sent"}{" "}
              {(!isSealed(file) || file.doubt) && <SealMarks file={file} />}
            </Item>
            <Item label="State">
              <StatusDot tone={file.verified ? "good" : "warn"}>
                {file.verified ? "Verified" : "Not verified"}
              </StatusDot>
            </Item>
            <Item label="Checksum">
              <Copyable text={formatChecksum(Number(file.crc))} what="the checksum" />
            </Item>
            <Item label="SHA-256">
              <Copyable text={file.sha256} what="the SHA-256 of the encrypted file" />
            </Item>
          </DataList>

          <div>
            <Title order={2} mb="xs">
              Versions
            </Title>
            <ul className={classes.versions}>
              {versions.map((version) => (
                <li key={version.version} className={classes.version}>
                  <div className={classes.words}>
                    <Text size="sm" fw={500}>
                      Version {version.version}
                      {version.version === versions[0]?.version && versions.length > 1
                        ? ", the newest"
                        : ""}{" "}
                      {(!isSealed(version) || version.doubt) && <SealMarks file={version} />}
                    </Text>
                    <Text size="xs" c="dimmed">
                      {format.date(new Date(version.created))} ·{" "}
                      {format.bytes(version.original_size)}
                    </Text>
                  </div>
                  {!isSnapshot(version) && (
                    <RowAction
                      icon={IconDownload}
                      label="Restore this version"
                      subject={`version ${version.version}`}
                      onClick={() => startRestore(version)}
                    />
                  )}
                  {versions.length > 1 && (
                    <RowAction
                      icon={IconTrash}
                      label="Delete this version"
                      subject={`version ${version.version}`}
                      onClick={() => setDeletingVersion(version)}
                    />
                  )}
                </li>
              ))}
            </ul>
          </div>
        </Stack>
      )}
      <DeleteFile
        file={deletingVersion}
        version={deletingVersion?.version}
        onClose={() => setDeletingVersion(undefined)}
        onDeleted={() => {}}
      />
    </Drawer>
  )
}

function kind(file: FileEntry): string {
  if (isSnapshot(file)) return "Snapshot, made by the coffer command line"
  return isFolder(file) ? "Folder, as a .tar.zst archive" : "File"
}

function Item(props: { label: string; children: React.ReactNode }) {
  return (
    <DataList.Item>
      <DataList.ItemLabel>{props.label}</DataList.ItemLabel>
      <DataList.ItemValue className={classes.value}>{props.children}</DataList.ItemValue>
    </DataList.Item>
  )
}

function Copyable(props: { text: string; what: string }) {
  return (
    <Group gap={4} wrap="nowrap" align="center">
      <Code className={classes.code}>{props.text}</Code>
      <CopyButton value={props.text}>
        {({ copied, copy }) => (
          <RowAction
            icon={copied ? IconCheck : IconCopy}
            label={copied ? "Copied" : "Copy"}
            subject={props.what}
            size="sm"
            onClick={copy}
          />
        )}
      </CopyButton>
    </Group>
  )
}
