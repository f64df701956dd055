import { ActionIcon, TextInput, type TextInputProps } from "@mantine/core"
import { IconX } from "@tabler/icons-react"

type ClearableInputProps = Omit<TextInputProps, "value" | "onChange" | "rightSection"> & {
  value: string
  onChange(value: string): void
  /** What the button that empties the field is called. */
  clearLabel: string
}

/** A field that narrows what is shown, with a button that empties it. */
export function ClearableInput({ value, onChange, clearLabel, ...rest }: ClearableInputProps) {
  return (
    <TextInput
      {...rest}
      value={value}
      onChange={(e) => onChange(e.currentTarget.value)}
      rightSection={
        value && (
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label={clearLabel}
            onClick={() => onChange("")}
          >
            <IconX size={16} aria-hidden />
          </ActionIcon>
        )
      }
    />
  )
}
