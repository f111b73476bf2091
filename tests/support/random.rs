//! Random numbers that are the same on every machine and in every run.
#![allow(clippy::indexing_slicing, reason = "an index out of place fails the test, as it should")]

/// splitmix64: all that is needed here, and the same on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.number() % limit as u64).expect("it is below a usize")
    }

    pub fn byte(&mut self) -> u8 {
        self.number().to_le_bytes()[0]
    }

    pub fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Every magnitude is as likely as any other.
    pub fn integer(&mut self) -> i64 {
        self.number().cast_signed() >> self.below(64)
    }

    pub fn integers(&mut self, bits: usize, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| (self.number().cast_signed() >> (64 - bits)).to_string().into_bytes()).collect()
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend_from_slice(&self.number().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }

    pub fn letters(&mut self, len: usize) -> Vec<u8> {
        let mut letters = self.bytes(len);
        for letter in &mut letters {
            *letter = b'a' + *letter % 26;
        }
        letters
    }

    pub fn segment_scans(&mut self, choices: &[&str], count: usize) -> String {
        (0..count).map(|_| self.pick(choices)).collect()
    }

    pub fn name(&mut self) -> Vec<u8> {
        const AWKWARD: [&str; 16] = [
            "\"", "'", "\n", "\r\n", "\t", "\\", "\\xff", ",", " ", "\0", "\u{7f}", "<b>", "&", "{tag}", "\u{2028}",
            "\u{1b}",
        ];
        const UTF8: [&str; 8] = ["é", "ключ", "中文", "🔑", "ﬀ", "e\u{301}", "ß", "\u{ffff}"];
        match self.below(16) {
            0 | 1 => self.integer().to_string().into_bytes(),
            2 => {
                let (unit, times) = (self.pick(&["a", "session:", "00", "key-"]), self.below(60));
                format!("{}{}", unit.repeat(times), self.below(1_000_000)).into_bytes()
            }
            3 => {
                let len = self.below(40);
                self.bytes(len)
            }
            4 => {
                let count = self.below(12);
                self.segment_scans(&AWKWARD, count).into_bytes()
            }
            5 => {
                let count = self.below(12);
                let mut name = self.segment_scans(&UTF8, count).into_bytes();
                if self.one_in(3) {
                    name.pop();
                }
                name
            }
            6 => {
                let len = if self.one_in(30) { 20_000 } else { 200 };
                let len = self.below(len);
                self.letters(len)
            }
            _ => {
                let unit = self.pick(&["user:", "order:", "cache:page:", "s"]);
                format!("{unit}{}", self.below(1 << 30)).into_bytes()
            }
        }
    }

    pub fn text(&mut self) -> Vec<u8> {
        const ODD: [&str; 8] = ["", "007", "-0", "+1", " 1", "1.5", "1e3", "0x10"];
        match self.below(16) {
            0 | 1 => self.integer().to_string().into_bytes(),
            2 => {
                // The borders of every integer form lie around a power of two.
                let power = 1_i128 << self.below(64);
                let edge = power * self.pick(&[1, -1]) + self.pick(&[-1, 0, 1]);
                edge.to_string().into_bytes()
            }
            3 => self.pick(&ODD).as_bytes().to_vec(),
            4 => {
                let times = if self.one_in(8) { 600 } else { 40 };
                let (unit, times) = (self.pick(&["z", "abc", "{\"id\":1},"]), self.below(times));
                unit.repeat(times).into_bytes()
            }
            5 => {
                let len = if self.one_in(50) { 20_000 } else { 200 };
                let len = self.below(len);
                self.bytes(len)
            }
            _ => {
                let len = self.below(24);
                self.letters(len)
            }
        }
    }

    pub fn texts(&mut self, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| self.text()).collect()
    }

    pub fn score(&mut self) -> Vec<u8> {
        match self.below(8) {
            0 => self.pick(&["inf", "-inf", "1e300", "-0", "3e-310", "0.1", "1e17"]).as_bytes().to_vec(),
            1..=3 => format!("{}.{}", self.below(1_000), self.below(100)).into_bytes(),
            _ => self.integer().to_string().into_bytes(),
        }
    }

    /// Most values are small, some are not.
    pub fn element_count(&mut self) -> usize {
        let limit = match self.below(64) {
            0 => 600,
            1..=8 => 60,
            _ => 6,
        };
        1 + self.below(limit)
    }
}
