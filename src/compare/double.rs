//! Floating-point numbers as texts, digit by digit as servers write them into a digest.
//!
//! Redis up to 7.0 prints 17 significant digits (C's `%.17g`). Later servers print the few digits that Grisu2 finds (F. Loitsch,
//! "Printing Floating-Point Numbers Quickly and Accurately with Integers", 2010), which in one case of a thousand are not
//! the fewest that there are: another algorithm gives another digest.

/// A number as C's `%.17g` prints it.
pub(super) fn with_17_digits(value: f64) -> String {
    const DIGITS: i32 = 17;
    if !value.is_finite() {
        return not_finite(value);
    }
    let scientific = format!("{value:.16e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..DIGITS).contains(&exponent) {
        let (sign, magnitude) = if exponent < 0 { ('-', -exponent) } else { ('+', exponent) };
        return format!("{}e{sign}{magnitude:02}", without_zeros(mantissa));
    }
    let decimals = usize::try_from(DIGITS - 1 - exponent).unwrap_or(0);
    without_zeros(&format!("{value:.decimals$}")).to_owned()
}

/// A decimal fraction without the zeros at its end.
fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

fn not_finite(value: f64) -> String {
    let sign = if value.is_sign_negative() { "-" } else { "" };
    format!("{sign}{}", if value.is_nan() { "nan" } else { "inf" })
}

/// A number with the digits of Grisu2, as servers since Redis 7.2 print it.
pub(super) fn short(value: f64) -> String {
    if !value.is_finite() {
        return not_finite(value);
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if value == 0.0 {
        return format!("{sign}0");
    }
    let (digits, exponent) = grisu2(value.abs());
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let magnitude = exponent + count - 1;
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    if exponent >= 0 && magnitude.abs() < count + 7 {
        return format!("{sign}{digits}{}", zeros(exponent));
    }
    if exponent < 0 && (exponent > -7 || magnitude.abs() < 4) {
        let whole = count + exponent;
        if whole <= 0 {
            return format!("{sign}0.{}{digits}", zeros(-whole));
        }
        let (whole, fraction) = digits.split_at(usize::try_from(whole).unwrap_or(0));
        return format!("{sign}{whole}.{fraction}");
    }
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    let rest = rest.get(..rest.len().min(17 - sign.len())).unwrap_or(rest);
    format!("{sign}{first}{point}{rest}e{}{}", if magnitude < 0 { '-' } else { '+' }, magnitude.abs())
}

/// An element of an array that is a number (`arFormatFloat` of Redis 8.8): always with a point or an exponent.
pub(super) fn of_array(value: f64) -> String {
    const EXACT: f64 = 4_503_599_627_370_496.0;
    let is_integer = value.fract() == 0.0 && value.abs() < EXACT && (value != 0.0 || value.is_sign_positive());
    let text = if is_integer { format!("{value:.0}") } else { short(value) };
    if value.is_finite() && !text.contains(['.', 'e']) { text + ".0" } else { text }
}

/// A number as a 64-bit fraction times a power of two.
#[derive(Clone, Copy)]
struct Fraction {
    bits: u64,
    exponent: i32,
}

impl Fraction {
    /// The product, rounded to 64 bits.
    fn times(self, other: Self) -> Self {
        let product = u128::from(self.bits) * u128::from(other.bits) + (1 << 63);
        Self { bits: u64::try_from(product >> 64).unwrap_or(u64::MAX), exponent: self.exponent + other.exponent + 64 }
    }

    /// The same number with its highest bit set.
    fn normalized(self) -> Self {
        let shift = self.bits.leading_zeros();
        Self { bits: self.bits << shift, exponent: self.exponent - shift.cast_signed() }
    }
}

/// The digits of a positive finite number, and the power of ten that their last one counts.
fn grisu2(value: f64) -> (String, i32) {
    const HIDDEN_BIT: u64 = 1 << 52;
    const BIAS: i32 = 1023 + 52;
    let (fraction, stored) = (value.to_bits() & (HIDDEN_BIT - 1), value.to_bits() >> 52);
    let exact = match i32::try_from(stored).unwrap_or(0) {
        0 => Fraction { bits: fraction, exponent: 1 - BIAS },
        exponent => Fraction { bits: fraction | HIDDEN_BIT, exponent: exponent - BIAS },
    };
    // Halfway to the neighbors; below a power of two the numbers are twice as dense.
    let upper = Fraction { bits: (exact.bits << 1) + 1, exponent: exact.exponent - 1 }.normalized();
    let shift = if exact.bits == HIDDEN_BIT { 2 } else { 1 };
    let lower = Fraction { bits: (exact.bits << shift) - 1, exponent: exact.exponent - shift };
    let lower_bits = lower.bits << (lower.exponent - upper.exponent);
    let lower = Fraction { bits: lower_bits, exponent: upper.exponent };

    let (power, power_of_ten) = cached_power(upper.exponent);
    let scaled = exact.normalized().times(power);
    // One unit inwards on both sides, since each product may be off by one.
    let upper = upper.times(power);
    let upper = Fraction { bits: upper.bits - 1, ..upper };
    let lower_bits = lower.times(power).bits + 1;
    let (digits, exponent) = digits(scaled, upper, upper.bits - lower_bits);
    (digits, exponent - power_of_ten)
}

/// The digits of `upper`, as few as bring it within `delta` of itself, the last one brought near to `exact`.
fn digits(exact: Fraction, upper: Fraction, mut delta: u64) -> (String, i32) {
    let distance = upper.bits - exact.bits;
    let point = u32::try_from(-upper.exponent).unwrap_or(0);
    let one = 1_u64 << point;
    let (mut whole, mut fraction) = (upper.bits >> point, upper.bits & (one - 1));
    let mut digits = Vec::new();
    for kappa in (0..10).rev() {
        let unit = 10_u64.pow(kappa);
        push(&mut digits, whole / unit);
        whole %= unit;
        let rest = (whole << point) + fraction;
        if rest <= delta {
            round(&mut digits, delta, rest, unit << point, distance);
            return (text(&digits), kappa.cast_signed());
        }
    }
    let mut unit = 1_u64;
    for exponent in (i32::MIN..0).rev() {
        fraction *= 10;
        delta = delta.wrapping_mul(10);
        unit = unit.wrapping_mul(10);
        push(&mut digits, fraction >> point);
        fraction &= one - 1;
        if fraction < delta {
            round(&mut digits, delta, fraction, one, distance.wrapping_mul(unit));
            return (text(&digits), exponent);
        }
    }
    (text(&digits), 0)
}

/// Adds a digit that is not a leading zero.
fn push(digits: &mut Vec<u8>, digit: u64) {
    if digit > 0 || !digits.is_empty() {
        digits.push(u8::try_from(digit).unwrap_or(9));
    }
}

fn text(digits: &[u8]) -> String {
    digits.iter().map(|digit| char::from(b'0' + digit)).collect()
}

/// Lowers the last digit while that brings the text nearer to the exact number.
fn round(digits: &mut [u8], delta: u64, mut rest: u64, unit: u64, distance: u64) {
    let Some(last) = digits.last_mut() else { return };
    while rest < distance
        && delta - rest >= unit
        && (rest + unit < distance || distance - rest > rest + unit - distance)
    {
        *last = last.saturating_sub(1);
        rest += unit;
    }
}

const FIRST_POWER: i32 = -348;
const POWERS_STEP: i32 = 8;

/// A power of ten that brings a number with this exponent to one between 2^-60 and 2^-32 in its last bit, and which one.
#[allow(clippy::cast_possible_truncation, reason = "exponents are small")]
fn cached_power(exponent: i32) -> (Fraction, i32) {
    const LOG_10_OF_2: f64 = std::f64::consts::LOG10_2;
    let approximately = (-f64::from(exponent + 87) * LOG_10_OF_2) as i32;
    let mut at = (approximately - FIRST_POWER) / POWERS_STEP;
    loop {
        let power_of_ten = FIRST_POWER + at * POWERS_STEP;
        let bits = usize::try_from(at).ok().and_then(|at| POWERS.get(at)).copied().unwrap_or(1 << 63);
        // The exponent of the table's entry: the whole part of the power's binary logarithm, less 63.
        let power = Fraction { bits, exponent: ((power_of_ten * 217_706) >> 16) - 63 };
        match exponent + power.exponent + 64 {
            ..-60 => at += 1,
            -31.. => at -= 1,
            _ => return (power, power_of_ten),
        }
    }
}

/// The 64 highest bits of every eighth power of ten, from 10^-348 on, rounded.
const POWERS: [u64; 87] = [
    0xfa8f_d5a0_081c_0288,
    0xbaae_e17f_a23e_bf76,
    0x8b16_fb20_3055_ac76,
    0xcf42_894a_5dce_35ea,
    0x9a6b_b0aa_5565_3b2d,
    0xe61a_cf03_3d1a_45df,
    0xab70_fe17_c79a_c6ca,
    0xff77_b1fc_bebc_dc4f,
    0xbe56_91ef_416b_d60c,
    0x8dd0_1fad_907f_fc3c,
    0xd351_5c28_3155_9a83,
    0x9d71_ac8f_ada6_c9b5,
    0xea9c_2277_23ee_8bcb,
    0xaecc_4991_4078_536d,
    0x823c_1279_5db6_ce57,
    0xc210_9436_4dfb_5637,
    0x9096_ea6f_3848_984f,
    0xd774_85cb_2582_3ac7,
    0xa086_cfcd_97bf_97f4,
    0xef34_0a98_172a_ace5,
    0xb238_67fb_2a35_b28e,
    0x84c8_d4df_d2c6_3f3b,
    0xc5dd_4427_1ad3_cdba,
    0x936b_9fce_bb25_c996,
    0xdbac_6c24_7d62_a584,
    0xa3ab_6658_0d5f_daf6,
    0xf3e2_f893_dec3_f126,
    0xb5b5_ada8_aaff_80b8,
    0x8762_5f05_6c7c_4a8b,
    0xc9bc_ff60_34c1_3053,
    0x964e_858c_91ba_2655,
    0xdff9_7724_7029_7ebd,
    0xa6df_bd9f_b8e5_b88f,
    0xf8a9_5fcf_8874_7d94,
    0xb944_7093_8fa8_9bcf,
    0x8a08_f0f8_bf0f_156b,
    0xcdb0_2555_6531_31b6,
    0x993f_e2c6_d07b_7fac,
    0xe45c_10c4_2a2b_3b06,
    0xaa24_2499_6973_92d3,
    0xfd87_b5f2_8300_ca0e,
    0xbce5_0864_9211_1aeb,
    0x8cbc_cc09_6f50_88cc,
    0xd1b7_1758_e219_652c,
    0x9c40_0000_0000_0000,
    0xe8d4_a510_0000_0000,
    0xad78_ebc5_ac62_0000,
    0x813f_3978_f894_0984,
    0xc097_ce7b_c907_15b3,
    0x8f7e_32ce_7bea_5c70,
    0xd5d2_38a4_abe9_8068,
    0x9f4f_2726_179a_2245,
    0xed63_a231_d4c4_fb27,
    0xb0de_6538_8cc8_ada8,
    0x83c7_088e_1aab_65db,
    0xc45d_1df9_4271_1d9a,
    0x924d_692c_a61b_e758,
    0xda01_ee64_1a70_8dea,
    0xa26d_a399_9aef_774a,
    0xf209_787b_b47d_6b85,
    0xb454_e4a1_79dd_1877,
    0x865b_8692_5b9b_c5c2,
    0xc835_53c5_c896_5d3d,
    0x952a_b45c_fa97_a0b3,
    0xde46_9fbd_99a0_5fe3,
    0xa59b_c234_db39_8c25,
    0xf6c6_9a72_a398_9f5c,
    0xb7dc_bf53_54e9_bece,
    0x88fc_f317_f222_41e2,
    0xcc20_ce9b_d35c_78a5,
    0x9816_5af3_7b21_53df,
    0xe2a0_b5dc_971f_303a,
    0xa8d9_d153_5ce3_b396,
    0xfb9b_7cd9_a4a7_443c,
    0xbb76_4c4c_a7a4_4410,
    0x8bab_8eef_b640_9c1a,
    0xd01f_ef10_a657_842c,
    0x9b10_a4e5_e991_3129,
    0xe710_9bfb_a19c_0c9d,
    0xac28_20d9_623b_f429,
    0x8044_4b5e_7aa7_cf85,
    0xbf21_e440_03ac_dd2d,
    0x8e67_9c2f_5e44_ff8f,
    0xd433_179d_9c8c_b841,
    0x9e19_db92_b4e3_1ba9,
    0xeb96_bf6e_badf_77d9,
    0xaf87_023b_9bf0_ee6b,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_servers_print_them() {
        for (value, long, few) in [
            (0.1, "0.10000000000000001", "0.1"),
            (0.0, "0", "0"),
            (3.0, "3", "3"),
            (-2.5, "-2.5", "-2.5"),
            (100_000.0, "100000", "100000"),
            (1e8, "100000000", "1e+8"),
            (1e17, "1e+17", "1e+17"),
            (1.234_567_890_123_456_8e17, "1.2345678901234568e+17", "123456789012345680"),
            (1e-7, "9.9999999999999995e-08", "1e-7"),
            (1e-5, "1.0000000000000001e-05", "0.00001"),
            (0.000_123_4, "0.00012339999999999999", "1.234e-4"),
            (1.5e300, "1.5000000000000001e+300", "1.5e+300"),
            (5e-324, "4.9406564584124654e-324", "5e-324"),
            (f64::MAX, "1.7976931348623157e+308", "1.7976931348623157e+308"),
            (f64::INFINITY, "inf", "inf"),
            (f64::NEG_INFINITY, "-inf", "-inf"),
        ] {
            assert_eq!((with_17_digits(value).as_str(), short(value).as_str()), (long, few), "{value}");
        }
        assert_eq!([1.0, -3.0, 0.5, 1e17, 123_456_789.0].map(of_array), ["1.0", "-3.0", "0.5", "1e+17", "123456789.0"]);
    }

    #[test]
    fn few_digits_read_back_as_the_number() {
        let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..20_000 {
            bits ^= bits << 13;
            bits ^= bits >> 7;
            bits ^= bits << 17;
            let value = f64::from_bits(bits);
            if value.is_finite() {
                assert_eq!(short(value).parse(), Ok(value));
            }
        }
    }
}
