import { Button, Group, Text } from "@mantine/core"
import { useMediaQuery } from "@mantine/hooks"
import { IconFile, IconFolder, IconUpload } from "@tabler/icons-react"
import { type ReactNode, useRef } from "react"
import classes from "./FilePicker.module.css"

/** Phones have browsers that cannot choose a folder. */
const picksFolders = "webkitdirectory" in HTMLInputElement.prototype

/** Where files are chosen. Dropping works anywhere on the page; this says so and offers the buttons. */
export function FilePicker(props: {
  title: string
  hint: ReactNode
  /** In place of the title and the hint where nothing can be dropped, as on a phone. */
  touchTitle?: string
  touchHint?: ReactNode
  compact?: boolean
  onChoose: (files: FileList | null) => void
}) {
  const files = useRef<HTMLInputElement>(null)
  const folder = useRef<HTMLInputElement>(null)
  const touch = useMediaQuery("(pointer: coarse)")

  const input = (
    ref: React.RefObject<HTMLInputElement | null>,
    label: string,
    isFolder: boolean,
  ) => (
    <input
      ref={ref}
      type="file"
      hidden
      multiple
      aria-label={label}
      {...(isFolder && { webkitdirectory: "" })}
      onChange={(e) => {
        props.onChoose(e.currentTarget.files)
        // So that the same file can be chosen a second time.
        e.currentTarget.value = ""
      }}
    />
  )

  return (
    <div className={classes.area} data-compact={props.compact || undefined}>
      <IconUpload className={classes.icon} stroke={1.5} aria-hidden />
      <div className={classes.words}>
        <Text fw={600}>{(touch && props.touchTitle) || props.title}</Text>
        <Text size="sm" c="dimmed">
          {(touch && props.touchHint) || props.hint}
        </Text>
      </div>
      <Group gap="xs" justify="center" className={classes.buttons}>
        <Button
          leftSection={<IconFile size={17} aria-hidden />}
          onClick={() => files.current?.click()}
        >
          Choose files
        </Button>
        {picksFolders && (
          <Button
            variant="default"
            leftSection={<IconFolder size={17} aria-hidden />}
            onClick={() => folder.current?.click()}
          >
            Choose a folder
          </Button>
        )}
      </Group>
      {input(files, "Files to back up", false)}
      {input(folder, "Folder to back up", true)}
    </div>
  )
}
