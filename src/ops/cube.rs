//! Colour look-up tables in Adobe's `.cube` text format, 1D and 3D, with the input ranges that Resolve writes.

use std::path::Path;

/// A table of red, green, blue, with values from 0 to 1.
#[derive(Debug, PartialEq)]
pub struct Cube {
    /// Entries along each side.
    pub size: usize,
    /// True for a table of colours by red, green and blue (red changes fastest), false for three curves.
    pub solid: bool,
    /// The input that the first and the last entry stand for.
    pub domain: [[f32; 3]; 2],
    /// The colours.
    pub entries: Vec<[f32; 3]>,
}

impl Cube {
    /// Reads a file; the error says what is wrong with it.
    pub fn open(path: &Path) -> Result<Self, String> {
        let text = std::fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        // Titles may be in any encoding.
        Self::parse(&String::from_utf8_lossy(&text)).map_err(|e| format!("{}: {e}", path.display()))
    }

    /// Reads the text of a file.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut size, mut domain, mut entries) = (None, [[0.0; 3], [1.0; 3]], Vec::new());
        for (n, line) in text.lines().enumerate() {
            let line = line.trim().trim_start_matches('\u{feff}');
            let wrong = |what: &str| format!("line {}: {what}: `{}`", n + 1, line.chars().take(60).collect::<String>());
            let mut words = line.split_whitespace();
            let Some(first) = words.next().filter(|w| !w.starts_with('#')) else { continue };
            let mut numbers = || -> Option<Vec<f32>> {
                let all: Result<Vec<f32>, _> = words.by_ref().map(str::parse).collect();
                all.ok().filter(|v| v.iter().all(|x| x.is_finite()))
            };
            match first {
                "TITLE" => {}
                "LUT_3D_SIZE" | "LUT_1D_SIZE" => {
                    let solid = first == "LUT_3D_SIZE";
                    let most = if solid { 129.0 } else { 65536.0 };
                    let n = numbers().filter(|v| v.len() == 1 && v[0].fract() == 0.0 && (2.0..=most).contains(&v[0]));
                    let n = n.ok_or_else(|| wrong(&format!("the size must be from 2 to {most}")))?[0] as usize;
                    if size.replace((n, solid)).is_some() {
                        return Err(wrong("a second size; files with both a 1D and a 3D table are not supported"));
                    }
                }
                "DOMAIN_MIN" | "DOMAIN_MAX" => {
                    let v =
                        numbers().and_then(|v| <[f32; 3]>::try_from(v).ok()).ok_or_else(|| wrong("not 3 numbers"))?;
                    domain[usize::from(first == "DOMAIN_MAX")] = v;
                }
                "LUT_3D_INPUT_RANGE" | "LUT_1D_INPUT_RANGE" => {
                    let v = numbers().filter(|v| v.len() == 2).ok_or_else(|| wrong("not 2 numbers"))?;
                    domain = [[v[0]; 3], [v[1]; 3]];
                }
                _ => {
                    let head = first.parse::<f32>().ok().filter(|v| v.is_finite());
                    match (head, numbers().as_deref()) {
                        (Some(r), Some([g, b])) => entries.push([r, *g, *b]),
                        (Some(_), _) => return Err(wrong("not 3 numbers")),
                        // Keywords that are not known change nothing that is.
                        (None, _) => {}
                    }
                }
            }
        }
        let (size, solid) = size.ok_or("no LUT_3D_SIZE or LUT_1D_SIZE: this is no .cube table")?;
        let wanted = if solid { size.pow(3) } else { size };
        if entries.len() != wanted {
            return Err(format!("{} entries where its size asks for {wanted}", entries.len()));
        }
        if (0..3).any(|i| domain[0][i] >= domain[1][i]) {
            return Err("its DOMAIN_MIN is not below its DOMAIN_MAX".into());
        }
        Ok(Cube { size, solid, domain, entries })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_kinds() {
        let text = "\u{feff}TITLE \"x\"\n# c\nLUT_1D_SIZE 2\nDOMAIN_MIN 0 0 0\nDOMAIN_MAX 2 2 2\n\n0 0 0\n1 .5 1e0\n";
        let c = Cube::parse(text).unwrap();
        assert_eq!((c.size, c.solid, c.domain, c.entries[1]), (2, false, [[0.0; 3], [2.0; 3]], [1.0, 0.5, 1.0]));
        let solid = format!("LUT_3D_SIZE 2\nLUT_3D_INPUT_RANGE 0.0 1.0\n{}", "0 0.5 1\n".repeat(8));
        assert_eq!(Cube::parse(&solid).unwrap().entries.len(), 8);
    }

    #[test]
    fn says_what_is_wrong() {
        let wrong = |t: &str| Cube::parse(t).unwrap_err();
        assert!(wrong("hello").contains("no .cube"));
        assert!(wrong("LUT_3D_SIZE 2\n0 0 0\n").contains("1 entries where its size asks for 8"));
        assert!(wrong("LUT_3D_SIZE 1").contains("2 to 129"));
        assert!(wrong("LUT_3D_SIZE 999999999").contains("2 to 129"));
        assert!(wrong("LUT_1D_SIZE 2\n0 0\n").contains("line 2: not 3 numbers"));
        assert!(wrong("LUT_1D_SIZE 2\n0 0 nan\n1 1 1").contains("not 3 numbers"));
        assert!(wrong("LUT_1D_SIZE 2\nDOMAIN_MAX 0 0 0\n0 0 0\n1 1 1").contains("DOMAIN_MIN"));
    }
}
