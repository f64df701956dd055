import { PasswordInput, type PasswordInputProps } from "@mantine/core"
import { useState } from "react"

/** A passphrase or another secret, which can be shown: by keyboard too, and the button says what it does. */
export function PassphraseField(props: PasswordInputProps & { what?: "passphrase" | "token" }) {
  const { what = "passphrase", ...input } = props
  const [visible, setVisible] = useState(false)
  return (
    <PasswordInput
      {...input}
      visible={visible}
      onVisibilityChange={setVisible}
      visibilityToggleFocusable
      visibilityToggleButtonProps={{
        "aria-label": visible ? `Hide ${what}` : `Show ${what}`,
        "aria-pressed": visible,
      }}
      spellCheck={false}
      autoCapitalize="none"
      autoCorrect="off"
    />
  )
}
