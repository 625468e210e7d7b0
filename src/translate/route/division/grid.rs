//! Numbers by the cells that they are of, and how these come together where fewer bits tell cells apart.

use crate::translate::route::cell::Cells;

/// Numbers by three coordinates. On each axis there are so many, and at the end the one of what can be anywhere.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    sizes: [usize; 3],
    numbers: Vec<u32>,
}

impl Grid {
    /// Nothing anywhere, by so many bits on each axis.
    pub fn new(bits: [u32; 3]) -> Self {
        let sizes = bits.map(|bits| (1 << bits) + 1);
        let numbers = vec![0; sizes.iter().product()];
        Self { sizes, numbers }
    }

    pub fn at(&mut self, cells: Cells) -> &mut u32 {
        let [one, two, three] = [0, 1, 2].map(|axis| {
            let any = self.sizes[axis] - 1;
            cells[axis].map_or(any, usize::from)
        });
        &mut self.numbers[(one * self.sizes[1] + two) * self.sizes[2] + three]
    }

    /// By how many bits it is on each axis.
    pub fn bits(&self) -> [u32; 3] {
        self.sizes.map(|size| (size - 1).ilog2())
    }

    /// The same by fewer and fewer bits on an axis, each made from the one before.
    pub fn fewer(&self, axis: usize) -> impl Iterator<Item = Self> {
        let less = move |grid: &Self| (grid.bits()[axis] > 0).then(|| grid.folded(axis));
        std::iter::successors(Some(self.clone()), less)
    }

    /// The same by one bit less on an axis.
    pub fn folded(&self, axis: usize) -> Self {
        let any = self.sizes[axis] - 1;
        let half = any / 2;
        let mut sizes = self.sizes;
        sizes[axis] = half + 1;
        let mut folded = Self {
            sizes,
            numbers: vec![0; sizes.iter().product()],
        };
        // What lies beside each other on this axis is so far apart.
        let step: usize = sizes[axis + 1..].iter().product();
        for (at, number) in self.numbers.iter().enumerate() {
            let (outer, on_axis, inner) = (at / step / (any + 1), at / step % (any + 1), at % step);
            let to = if on_axis == any { half } else { on_axis % half };
            folded.numbers[(outer * (half + 1) + to) * step + inner] += number;
        }
        folded
    }

    /// What comes together at each place, with what can be anywhere.
    pub fn sums(&self) -> impl Iterator<Item = u32> {
        let mut sums = self.numbers.clone();
        let mut step = 1;
        let mut is_place = vec![true; sums.len()];
        for size in self.sizes.into_iter().rev() {
            for at in 0..sums.len() {
                let on_axis = at / step % size;
                if on_axis == size - 1 {
                    is_place[at] = false;
                } else {
                    sums[at] += sums[at + (size - 1 - on_axis) * step];
                }
            }
            step *= size;
        }
        let places = sums.into_iter().zip(is_place);
        places.filter(|(_, is_place)| *is_place).map(|(sum, _)| sum)
    }
}
