//! What a spreadsheet would run.

/// Whether a spreadsheet would take a field for a formula, or for something else that it acts on. A number is none.
pub(crate) fn is_formula(text: &[u8]) -> bool {
    let starts_like_one = matches!(text.first(), Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r'));
    let is_number = || {
        let digits = text.get(1..).unwrap_or_default();
        !digits.is_empty() && digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
    };
    starts_like_one && !(matches!(text.first(), Some(b'+' | b'-')) && is_number())
}
