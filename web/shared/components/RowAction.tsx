import { ActionIcon, Tooltip } from "@mantine/core"
import type { Icon } from "@tabler/icons-react"

/** A small button of a row; its tooltip and its name say what it does, and to what. */
export function RowAction(props: {
  icon: Icon
  label: string
  /** What it is done to, for a reader of the screen. */
  subject: string
  size?: "sm" | "lg"
  loading?: boolean
  disabled?: boolean
  onClick: () => void
}) {
  const { icon: Icon } = props
  return (
    <Tooltip label={props.label}>
      <ActionIcon
        variant="subtle"
        color="gray"
        c="dimmed"
        size={props.size ?? "lg"}
        aria-label={`${props.label}: ${props.subject}`}
        loading={props.loading}
        disabled={props.disabled}
        onClick={props.onClick}
      >
        <Icon size={props.size === "sm" ? 15 : 18} stroke={1.75} aria-hidden />
      </ActionIcon>
    </Tooltip>
  )
}
