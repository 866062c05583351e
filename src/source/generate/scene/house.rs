//! The row of houses: walls, windows, doors, shops with their goods and signs.

use super::paint::{Rgb, Shape, Spot, blend, shade};
use super::street::{KERB, LEAVES, SKY_LOW, Street};
use super::world::FACADE;

impl Street<'_> {
    /// The whole row, and a garden between.
    pub(super) fn houses(&mut self) -> opencv::Result<()> {
        let reach = self.camera.reach(FACADE) + 1.0;
        // From a fixed point, so that a wider picture shows the same houses and more.
        let mut x = -14.5;
        while x > -reach {
            x -= 8.0;
        }
        let mut kind = ((x + 14.5) / 8.0).round().rem_euclid(6.0) as usize;
        while x < reach {
            let width = [7.2, 6.0, 8.4, 3.2, 6.6, 7.6][kind % 6];
            if kind % 6 == 3 {
                self.garden(x, x + width)?;
            } else {
                self.house(x, x + width, kind % 6)?;
            }
            x += width;
            kind += 1;
        }
        Ok(())
    }

    /// A gap between houses: hedge and gate.
    fn garden(&mut self, x0: f64, x1: f64) -> opencv::Result<()> {
        self.wall((x0, x1), (0.0, 1.5), FACADE, shade(LEAVES, 0.72))?;
        let s = self.camera.scale(FACADE);
        for _ in 0..60 {
            let at = self.camera.see(self.random.range(x0, x1), self.random.range(0.3, 1.6), FACADE);
            let color = shade(LEAVES, self.random.range(0.65, 1.05));
            self.paint(Shape::ellipse(at, 0.16 * s, 0.12 * s, color))?;
        }
        self.wall((x0, x1), (0.0, 0.45), FACADE, [168, 150, 132])?;
        self.wall((x0, x1), (0.42, 0.5), FACADE, [196, 182, 166])
    }

    fn house(&mut self, x0: f64, x1: f64, kind: usize) -> opencv::Result<()> {
        let wall: Rgb =
            [[172, 96, 76], [224, 208, 176], [138, 156, 170], [0; 3], [206, 160, 104], [176, 180, 150]][kind];
        let trim = blend(wall, [250, 246, 238], 0.65);
        let (height, brick) = ([8.2, 6.6, 7.4, 0.0, 6.4, 8.0][kind], kind == 0 || kind == 4);
        let (w, z) = (x1 - x0, FACADE);
        // Roof behind the cornice, then the front.
        if kind == 1 || kind == 4 {
            let roof: Rgb = [122, 74, 60];
            let stack = x0 + w * 0.68;
            self.wall((stack, stack + 0.6), (height, height + 1.6), z, [146, 88, 70])?;
            self.wall((stack + 0.4, stack + 0.6), (height, height + 1.6), z, [122, 72, 58])?;
            self.wall((stack - 0.07, stack + 0.67), (height + 1.5, height + 1.62), z, [96, 62, 54])?;
            let p = [(x0 - 0.1, height), (x1 + 0.1, height), (x1 - 0.9, height + 1.1), (x0 + 0.9, height + 1.1)];
            let points: Vec<Spot> = p.iter().map(|(x, y)| self.camera.see(*x, *y, z)).collect();
            self.paint(Shape::convex(points, roof))?;
            for i in 0..6 {
                let (y, k) = (height + 0.18 * f64::from(i), 0.15 * f64::from(i));
                self.wall((x0 + k, x1 - k), (y, y + 0.03), z, shade(roof, 0.82))?;
            }
        }
        self.wall((x0, x1), (0.0, height), z, wall)?;
        if brick {
            self.bricks(x0, x1, height, wall)?;
        }
        self.wall((x0 - 0.06, x1 + 0.06), (height - 0.28, height), z, trim)?;
        self.wall((x0, x1), (height - 0.36, height - 0.28), z, shade(wall, 0.75))?;
        self.wall((x0, x1), (0.0, 0.35), z, shade(wall, 0.68))?;
        // The rain pipe marks where one house ends.
        self.wall((x1 - 0.14, x1 - 0.06), (0.3, height - 0.3), z, shade(wall, 0.62))?;

        let columns = (w / 1.9).floor().max(2.0) as i32;
        let pitch = w / f64::from(columns);
        let mut floor = 3.55;
        while floor + 2.3 < height {
            for c in 0..columns {
                let middle = x0 + pitch * (f64::from(c) + 0.5);
                self.window(middle - 0.5, middle + 0.5, floor + 0.35, floor + 1.95, trim, kind)?;
            }
            floor += 2.45;
        }
        match kind {
            0 => self.shop(x0, x1, "CAFE AURORA", "coffee  cakes  open 7-19", [38, 92, 78])?,
            2 => self.shop(x0, x1, "BOOKS & MAPS", "new and second hand", [148, 48, 52])?,
            5 => self.shop(x0, x1, "BAKERY", "bread since 1921", [60, 66, 110])?,
            _ => self.dwelling(x0, x1, trim, kind)?,
        }
        Ok(())
    }

    fn bricks(&mut self, x0: f64, x1: f64, height: f64, wall: Rgb) -> opencv::Result<()> {
        let (mut y, mut row) = (0.35, 0);
        while y < height - 0.4 {
            self.wall((x0, x1), (y, y + 0.022), FACADE, blend(wall, [210, 196, 182], 0.28))?;
            let mut x = x0 + if row % 2 == 0 { 0.0 } else { 0.2 };
            while x < x1 - 0.4 {
                // Some bricks were burnt darker.
                if self.random.chance(0.2) {
                    let tone = shade(wall, self.random.range(0.86, 1.08));
                    self.wall((x, x + 0.36), (y + 0.022, y + 0.19), FACADE, tone)?;
                }
                x += 0.4;
            }
            y += 0.2;
            row += 1;
        }
        Ok(())
    }

    fn window(&mut self, x0: f64, x1: f64, y0: f64, y1: f64, trim: Rgb, kind: usize) -> opencv::Result<()> {
        let z = FACADE;
        if kind == 1 || kind == 5 {
            let shutter: Rgb = if kind == 1 { [86, 118, 108] } else { [112, 82, 66] };
            for (a, b) in [(x0 - 0.36, x0 - 0.05), (x1 + 0.05, x1 + 0.36)] {
                self.wall((a, b), (y0, y1), z, shutter)?;
                for i in 1..9 {
                    let y = y0 + (y1 - y0) * f64::from(i) / 9.0;
                    self.wall((a + 0.03, b - 0.03), (y, y + 0.03), z, shade(shutter, 0.8))?;
                }
            }
        }
        self.wall((x0 - 0.08, x1 + 0.08), (y0 - 0.04, y1 + 0.1), z, trim)?;
        let lit = self.random.chance(0.14);
        let glass: Rgb = if lit { [246, 214, 146] } else { shade([92, 116, 134], self.random.range(0.8, 1.1)) };
        self.wall((x0, x1), (y0, y1), z, glass)?;
        // The sky in it, and a curtain.
        let see = |x, y| self.camera.see(x, y, z);
        let streak = vec![see(x0, y0 + 0.5), see(x0, y1), see(x0 + 0.75, y1), see(x0 + 0.1, y0 + 0.3)];
        self.paint(Shape::convex(streak, blend(glass, SKY_LOW, if lit { 0.15 } else { 0.35 })))?;
        if self.random.chance(0.5) {
            let cloth = blend(glass, [240, 234, 222], 0.7);
            self.wall((x0, x0 + 0.2), (y0, y1), z, cloth)?;
            self.wall((x1 - 0.2, x1), (y0, y1), z, shade(cloth, 0.93))?;
        }
        let middle = (x0 + x1) / 2.0;
        self.wall((middle - 0.025, middle + 0.025), (y0, y1), z, trim)?;
        self.wall((x0, x1), (y0 + 0.95, y0 + 1.0), z, trim)?;
        self.wall((x0, x1), (y1 - 0.07, y1), z, shade(glass, 0.62))?;
        self.wall((x0 - 0.14, x1 + 0.14), (y0 - 0.12, y0 - 0.02), z, shade(trim, 0.94))?;
        self.wall((x0 - 0.12, x1 + 0.12), (y0 - 0.19, y0 - 0.12), z, shade(trim, 0.6))?;
        if self.random.chance(0.3) {
            self.wall((x0, x1), (y0 - 0.04, y0 + 0.13), z, [134, 78, 54])?;
            let s = self.camera.scale(z);
            for _ in 0..16 {
                let at = self.camera.see(self.random.range(x0, x1), y0 + self.random.range(0.12, 0.3), z);
                let color = self.random.pick(&[[214, 60, 78], [240, 200, 70], LEAVES, LEAVES]);
                self.paint(Shape::ellipse(at, 0.055 * s, 0.05 * s, color))?;
            }
        }
        Ok(())
    }

    fn shop(&mut self, x0: f64, x1: f64, name: &str, small: &str, color: Rgb) -> opencv::Result<()> {
        let (z, w) = (FACADE, x1 - x0);
        let (a, b) = (x0 + 0.35, x1 - 0.4);
        let door = b - 1.25;
        self.wall((a, b), (0.0, 3.3), z, color)?;
        self.wall((a - 0.08, b + 0.08), (2.62, 3.36), z, shade(color, 0.8))?;
        self.wall((a - 0.08, b + 0.08), (3.3, 3.4), z, shade(color, 1.35))?;
        self.sign(name, (a + 0.3, b - 0.3), (2.74, 3.2), z, [250, 240, 210])?;
        // Window and what lies in it.
        self.wall((a + 0.15, door - 0.15), (0.55, 2.5), z, shade(color, 1.25))?;
        self.wall((a + 0.22, door - 0.22), (0.62, 2.44), z, [70, 72, 70])?;
        let inside = self.camera.see((a + door) / 2.0, 1.9, z);
        let s = self.camera.scale(z);
        self.stain(inside, w * 0.32 * s, 0.75 * s, [255, 226, 168], 0.75, 1.2)?;
        for shelf in [0.72, 1.2, 1.68] {
            let mut x = a + 0.4;
            while x < door - 0.55 {
                let (wide, high) = (self.random.range(0.1, 0.3), self.random.range(0.14, 0.34));
                let item =
                    self.random.pick(&[[196, 72, 58], [226, 190, 96], [84, 120, 150], [222, 214, 200], [96, 74, 62]]);
                self.wall((x, x + wide), (shelf, shelf + high), z, item)?;
                x += wide + self.random.range(0.02, 0.16);
            }
            self.wall((a + 0.3, door - 0.3), (shelf - 0.05, shelf), z, [112, 86, 66])?;
        }
        self.sign(small, (a + 0.4, door - 0.4), (2.18, 2.36), z, [252, 248, 236])?;
        let mullion = (a + door) / 2.0;
        self.wall((mullion - 0.03, mullion + 0.03), (0.6, 2.46), z, shade(color, 1.25))?;
        // Door.
        self.wall((door, b - 0.15), (0.05, 2.5), z, shade(color, 0.6))?;
        self.wall((door + 0.14, b - 0.29), (0.75, 2.36), z, [118, 138, 146])?;
        self.wall((door + 0.14, b - 0.29), (0.2, 0.65), z, shade(color, 0.75))?;
        self.wall((door + 0.06, door + 0.1), (1.0, 1.3), z, [220, 190, 110])?;
        self.wall((door + 0.3, b - 0.45), (1.5, 1.78), z, [248, 246, 240])?;
        self.sign("OPEN", (door + 0.34, b - 0.49), (1.56, 1.72), z, [176, 40, 44])?;
        // Awning: stripes that hang out over the pavement.
        let (out, stripes) = (z - 1.0, ((door - a) / 0.42).floor() as i32);
        let step = (door - 0.05 - a) / f64::from(stripes.max(1));
        for i in 0..stripes {
            let (l, r) = (a + step * f64::from(i), a + step * f64::from(i + 1));
            let cloth = if i % 2 == 0 { [244, 240, 228] } else { shade(color, 1.5) };
            let c = &self.camera;
            let top = vec![c.see(l, 2.62, z), c.see(r, 2.62, z), c.see(r, 2.3, out), c.see(l, 2.3, out)];
            let (p, q) = (c.see(l, 2.3, out), c.see(r, 2.14, out));
            self.paint(Shape::convex(top, cloth))?;
            self.paint(Shape::rect(p, q, shade(cloth, 0.84)))?;
        }
        Ok(())
    }

    fn dwelling(&mut self, x0: f64, x1: f64, trim: Rgb, kind: usize) -> opencv::Result<()> {
        let z = FACADE;
        let door: Rgb = if kind == 1 { [44, 84, 120] } else { [112, 46, 40] };
        let at = x0 + 0.9;
        self.wall((at - 0.14, at + 1.14), (0.0, 2.55), z, trim)?;
        self.wall((at, at + 1.0), (0.1, 2.05), z, door)?;
        self.wall((at, at + 1.0), (2.12, 2.42), z, [126, 146, 156])?;
        for (y0, y1) in [(0.3, 0.95), (1.1, 1.85)] {
            for dx in [0.12, 0.56] {
                self.wall((at + dx, at + dx + 0.32), (y0, y1), z, shade(door, 0.8))?;
            }
        }
        self.wall((at + 0.86, at + 0.93), (0.98, 1.06), z, [226, 200, 120])?;
        self.wall((at - 0.2, at + 1.2), (0.0, 0.1), z, KERB)?;
        let number = if kind == 1 { "24" } else { "30" };
        self.wall((at + 1.24, at + 1.64), (1.6, 1.9), z, [40, 66, 120])?;
        self.sign(number, (at + 1.28, at + 1.6), (1.65, 1.85), z, [250; 3])?;
        let mut x = at + 2.0;
        while x + 1.5 < x1 {
            self.window(x + 0.1, x + 1.2, 1.0, 2.6, trim, kind)?;
            x += 2.0;
        }
        // The street's name.
        self.wall((x1 - 2.2, x1 - 0.4), (2.85, 3.2), z, [238, 240, 240])?;
        self.wall((x1 - 2.17, x1 - 0.43), (2.88, 3.17), z, [30, 70, 130])?;
        self.sign("ELM STREET", (x1 - 2.1, x1 - 0.5), (2.94, 3.11), z, [250; 3])
    }
}
