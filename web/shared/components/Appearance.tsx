import { NativeSelect, SegmentedControl, useMantineColorScheme } from "@mantine/core"
import { languages, useFormat, useLanguage } from "../hooks/preferences"
import { Section } from "./Section"
import { SettingRow } from "./SettingRow"

/** How the pages look, which each browser keeps for itself. */
export function Appearance() {
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const [language, setLanguage] = useLanguage()
  const format = useFormat()
  return (
    <Section title="Appearance">
      <SettingRow title="Theme" description="System follows your computer’s own setting.">
        <SegmentedControl
          aria-label="Theme"
          value={colorScheme}
          onChange={(value) => setColorScheme(value as "light" | "dark" | "auto")}
          data={[
            { value: "light", label: "Light" },
            { value: "dark", label: "Dark" },
            { value: "auto", label: "System" },
          ]}
        />
      </SettingRow>
      <SettingRow
        id="language"
        title="Dates and numbers"
        description={`Now they look like this: ${format.date(new Date())}.`}
      >
        <NativeSelect
          id="language"
          value={language}
          onChange={(e) => setLanguage(e.currentTarget.value)}
          data={[{ value: "", label: "As the browser is set" }, ...languages]}
        />
      </SettingRow>
    </Section>
  )
}
