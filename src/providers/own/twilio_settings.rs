//! The header by which Twilio names a shared key.

/// The first value of this setting that is not empty, without the blanks round it. What has no `=`
/// is passed over, as twilio-python does.
pub(crate) fn setting<'a>(settings: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    settings.split(|byte| *byte == b',').find_map(|setting| {
        let equals = setting.iter().position(|byte| *byte == b'=')?;
        let value = setting[equals + 1..].trim_ascii();
        let is_it = setting[..equals].trim_ascii().eq_ignore_ascii_case(name);
        (is_it && !value.is_empty()).then_some(value)
    })
}
