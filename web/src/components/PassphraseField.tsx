import { PasswordInput, type PasswordInputProps } from "@mantine/core"
import { useState } from "react"

/** A passphrase, which can be shown: by keyboard too, and the button says what it does. */
export function PassphraseField(props: PasswordInputProps) {
  const [visible, setVisible] = useState(false)
  return (
    <PasswordInput
      {...props}
      visible={visible}
      onVisibilityChange={setVisible}
      visibilityToggleFocusable
      visibilityToggleButtonProps={{
        "aria-label": visible ? "Hide passphrase" : "Show passphrase",
        "aria-pressed": visible,
      }}
      spellCheck={false}
      autoCapitalize="none"
      autoCorrect="off"
    />
  )
}
