//! The little linear algebra that predictors need: Cholesky with honest jitter, and thin singular values.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, linalg::general_mat_mul, s};

/// Lower Cholesky factor of a symmetric positive matrix, with what had to be added to its diagonal.
pub struct Cholesky {
    /// `[n, n]`, zero above the diagonal; `factor · factorᵀ = matrix + jitter · I`.
    pub factor: Array2<f64>,
    /// What was added to the diagonal, in the unit of the matrix; 0 when nothing was needed.
    pub jitter: f64,
}

impl Cholesky {
    /// Of `matrix`, `[n, n]`. Jitter grows from 0 by tens of 1e-12 of the mean diagonal up to 1e-4 of it; `None` when
    /// even that does not help, which means that the matrix is not a covariance (or not finite).
    pub fn new(matrix: &Array2<f64>) -> Option<Self> {
        let n = matrix.nrows();
        let mean_diagonal = matrix.diag().sum() / n as f64;
        let jitters = std::iter::once(0.0).chain((-12..=-4).map(|power| mean_diagonal * 10_f64.powi(power)));
        jitters.into_iter().find_map(|jitter| factor(matrix, jitter).map(|factor| Self { factor, jitter }))
    }

    /// `L⁻¹ b`, with `b` `[n]`.
    pub fn half_solve(&self, b: ArrayView1<f64>) -> Array1<f64> {
        let mut x = b.to_owned();
        for i in 0..x.len() {
            let row = self.factor.row(i);
            let row = row.as_slice().expect("the factor is in standard layout");
            let known = x.as_slice().expect("it was copied");
            x[i] = (x[i] - dot(&row[..i], &known[..i])) / row[i];
        }
        x
    }

    /// `(L Lᵀ)⁻¹ b`, with `b` `[n]`.
    pub fn solve(&self, b: ArrayView1<f64>) -> Array1<f64> {
        let mut x = self.half_solve(b);
        for i in (0..x.len()).rev() {
            x[i] /= self.factor[[i, i]];
            let (value, row) = (x[i], self.factor.row(i));
            for j in 0..i {
                x[j] -= row[j] * value;
            }
        }
        x
    }

    /// `(L Lᵀ)⁻¹`, `[n, n]`.
    pub fn inverse(&self) -> Array2<f64> {
        let mut inverse = self.inverse_lower();
        for i in 0..inverse.nrows() {
            for j in 0..i {
                inverse[[j, i]] = inverse[[i, j]];
            }
        }
        inverse
    }

    /// The diagonal of `(L Lᵀ)⁻¹`, `[n]`.
    pub fn inverse_diagonal(&self) -> Array1<f64> {
        let lower = inverse_of_lower(self.factor.view());
        let mut sums = Array1::zeros(lower.nrows());
        for row in lower.rows() {
            sums.zip_mut_with(&row, |sum, cell| *sum += cell * cell);
        }
        sums
    }

    /// The lower half of `(L Lᵀ)⁻¹`, `[n, n]`; above the diagonal there is anything.
    pub fn inverse_lower(&self) -> Array2<f64> {
        let n = self.factor.nrows();
        let lower = inverse_of_lower(self.factor.view());
        let mut inverse = Array2::zeros((n, n));
        // A block of rows at a time: what is above the diagonal of L⁻¹ is zero and need not be multiplied.
        for start in (0..n).step_by(BLOCK) {
            let end = (start + BLOCK).min(n);
            let left = lower.slice(s![start.., start..end]);
            let right = lower.slice(s![start.., ..end]);
            let mut block = inverse.slice_mut(s![start..end, ..end]);
            general_mat_mul(1.0, &left.t(), &right, 0.0, &mut block);
        }
        inverse
    }

    /// `ln |L Lᵀ|`.
    pub fn log_determinant(&self) -> f64 {
        2.0 * self.factor.diag().iter().map(|d| d.ln()).sum::<f64>()
    }
}

/// Rows handled at once: below it plain loops are faster than packed products.
const BLOCK: usize = 64;

/// Right-looking Cholesky by blocks of columns; reads the lower half of `matrix`.
fn factor(matrix: &Array2<f64>, jitter: f64) -> Option<Array2<f64>> {
    let n = matrix.nrows();
    let mut lower = Array2::zeros((n, n));
    for i in 0..n {
        lower.slice_mut(s![i, ..=i]).assign(&matrix.slice(s![i, ..=i]));
        lower[[i, i]] += jitter;
    }
    for start in (0..n).step_by(BLOCK) {
        let end = (start + BLOCK).min(n);
        let cells = lower.as_slice_mut().expect("a fresh array is contiguous");
        for i in start..n {
            let (above, row) = cells.split_at_mut(i * n);
            for j in start..end.min(i) {
                let other = &above[j * n..=j * n + j];
                row[j] = (row[j] - dot(&row[start..j], &other[start..j])) / other[j];
            }
            if i < end {
                let pivot = row[i] - dot(&row[start..i], &row[start..i]);
                if !pivot.is_finite() || pivot <= 0.0 {
                    return None;
                }
                row[i] = pivot.sqrt();
            }
        }
        let panel = lower.slice(s![end.., start..end]).to_owned();
        for first in (end..n).step_by(BLOCK) {
            let last = (first + BLOCK).min(n);
            let rows = panel.slice(s![first - end..last - end, ..]);
            let columns = panel.slice(s![..last - end, ..]);
            let mut rest = lower.slice_mut(s![first..last, end..last]);
            general_mat_mul(-1.0, &rows, &columns.t(), 1.0, &mut rest);
        }
    }
    // The products also wrote above the diagonal.
    for i in 0..n {
        lower.slice_mut(s![i, i + 1..]).fill(0.0);
    }
    Some(lower)
}

/// `L⁻¹` of a lower triangular matrix by halves.
fn inverse_of_lower(lower: ArrayView2<f64>) -> Array2<f64> {
    let n = lower.nrows();
    if n > BLOCK {
        let half = n / 2;
        let first = inverse_of_lower(lower.slice(s![..half, ..half]));
        let second = inverse_of_lower(lower.slice(s![half.., half..]));
        let between = second.dot(&lower.slice(s![half.., ..half]).dot(&first));
        let mut inverse = Array2::zeros((n, n));
        inverse.slice_mut(s![..half, ..half]).assign(&first);
        inverse.slice_mut(s![half.., half..]).assign(&second);
        inverse.slice_mut(s![half.., ..half]).assign(&between.mapv(|v| -v));
        return inverse;
    }
    // Row i of the inverse: what earlier rows contribute, row by row, so that the inner loop is a plain sum of rows.
    let mut inverse = vec![0.0; n * n];
    for i in 0..n {
        let (above, row) = inverse.split_at_mut(i * n);
        let pivot = 1.0 / lower[[i, i]];
        for k in 0..i {
            let weight = -lower[[i, k]] * pivot;
            for (cell, earlier) in row[..=k].iter_mut().zip(&above[k * n..=k * n + k]) {
                *cell += weight * earlier;
            }
        }
        row[i] = pivot;
    }
    Array2::from_shape_vec((n, n), inverse).expect("n × n values were made")
}

/// With eight running sums, which the compiler can keep in vector registers.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a8.remainder().iter().zip(b8.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a8.zip(b8) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f64>() + rest
}

/// Σ (a − b)², summed as [`dot`] does.
pub fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let one = |(a, b): (&f64, &f64)| (a - b).powi(2);
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a8.remainder().iter().zip(b8.remainder()).map(one).sum();
    for (a, b) in a8.zip(b8) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, pair)| *sum += one(pair));
    }
    sums.iter().sum::<f64>() + rest
}

/// Thin singular value decomposition `left · diag(values) · rightᵀ` of a matrix, largest value first.
pub struct Singular {
    /// `[n, k]`, orthonormal columns.
    pub left: Array2<f64>,
    /// `[k]`, all above `tolerance × largest`: `k` is the rank.
    pub values: Array1<f64>,
    /// `[p, k]`, orthonormal columns.
    pub right: Array2<f64>,
}

impl Singular {
    /// Of `matrix`, `[n, p]`, by one-sided Jacobi rotations (Hestenes 1958): accurate for small values, and short.
    /// `tolerance`: relative to the largest value, below which one counts as zero.
    pub fn new(matrix: &Array2<f64>, tolerance: f64) -> Self {
        if matrix.nrows() < matrix.ncols() {
            let Self { left, values, right } = Self::new(&matrix.t().to_owned(), tolerance);
            return Self { left: right, values, right: left };
        }
        let (n, p) = matrix.dim();
        // Columns as rows, so that they are contiguous.
        let mut columns: Vec<Vec<f64>> = matrix.columns().into_iter().map(|c| c.to_vec()).collect();
        let mut right: Vec<Vec<f64>> =
            (0..p).map(|i| (0..p).map(|j| f64::from(u8::from(i == j))).collect()).collect();
        // Rotations among columns that are all rounding would never end.
        let floor = (1e-15 * columns.iter().map(|c| dot(c, c)).sum::<f64>().sqrt()).powi(2);
        for _ in 0..60 {
            let mut rotated = false;
            for i in 0..p {
                for j in i + 1..p {
                    let (a, b) = (dot(&columns[i], &columns[i]), dot(&columns[j], &columns[j]));
                    let c = dot(&columns[i], &columns[j]);
                    if c.abs() <= 1e-14 * (a * b).sqrt() || a.min(b) <= floor {
                        continue;
                    }
                    rotated = true;
                    let zeta = (b - a) / (2.0 * c);
                    let tangent = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
                    let cosine = 1.0 / tangent.hypot(1.0);
                    rotate(&mut columns, i, j, cosine, cosine * tangent);
                    rotate(&mut right, i, j, cosine, cosine * tangent);
                }
            }
            if !rotated {
                break;
            }
        }
        let norms: Vec<f64> = columns.iter().map(|c| dot(c, c).sqrt()).collect();
        let largest = norms.iter().copied().fold(0.0, f64::max);
        let mut order: Vec<usize> =
            (0..p).filter(|&i| norms[i] > tolerance * largest && norms[i] > 0.0).collect();
        order.sort_by(|&a, &b| norms[b].total_cmp(&norms[a]));
        Self {
            left: Array2::from_shape_fn((n, order.len()), |(row, k)| {
                columns[order[k]][row] / norms[order[k]]
            }),
            values: order.iter().map(|&i| norms[i]).collect(),
            right: Array2::from_shape_fn((p, order.len()), |(row, k)| right[order[k]][row]),
        }
    }

    /// Number of values that are not zero.
    pub fn rank(&self) -> usize {
        self.values.len()
    }
}

fn rotate(columns: &mut [Vec<f64>], i: usize, j: usize, cosine: f64, sine: f64) {
    let (head, tail) = columns.split_at_mut(j);
    for (a, b) in head[i].iter_mut().zip(&mut tail[0]) {
        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    }
}

/// Mean of each column of `matrix`, `[n, p]` with n ≥ 1.
pub fn column_means(matrix: &Array2<f64>) -> Array1<f64> {
    matrix.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(matrix.ncols()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cholesky_inverse_times_the_matrix_is_the_identity() {
        let a = ndarray::array![[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]];
        let cholesky = Cholesky::new(&a).unwrap();
        assert_eq!(cholesky.jitter, 0.0);
        let identity = cholesky.inverse().dot(&a);
        let error = (&identity - &Array2::<f64>::eye(3)).iter().map(|e| e.abs()).fold(0.0, f64::max);
        assert!(error < 1e-14, "{error}");
        let x = cholesky.solve(ndarray::aview1(&[1.0, 2.0, 3.0]));
        assert!((a.dot(&x)[1] - 2.0).abs() < 1e-14);
        assert!((cholesky.log_determinant() - 21.29_f64.ln()).abs() < 1e-12); // 4·5.96 − 1·1.9 + .5·(−1.3)
    }

    #[test]
    fn blocks_give_what_plain_loops_give() {
        // 150 rows: three blocks, the last one short.
        let mut rng = crate::seed::Seed::new(1).rng();
        let x = Array2::from_shape_simple_fn((150, 160), || rand::Rng::random::<f64>(&mut rng));
        let a = x.dot(&x.t());
        let cholesky = Cholesky::new(&a).unwrap();
        let rebuilt = cholesky.factor.dot(&cholesky.factor.t());
        assert!((&rebuilt - &a).iter().all(|e| e.abs() < 1e-10));
        let inverse = cholesky.inverse();
        assert!((&inverse.dot(&a) - &Array2::<f64>::eye(150)).iter().all(|e| e.abs() < 1e-6));
        let diagonal = cholesky.inverse_diagonal();
        assert!((&diagonal - &inverse.diag()).iter().all(|e| e.abs() < 1e-9 * diagonal.sum()));
    }

    #[test]
    fn sums_in_parts_are_the_plain_sums() {
        // Two parts of eight and a rest of three.
        let of = |factor: f64| (0..19).map(|i| factor * f64::from(i)).collect::<Vec<_>>();
        let (a, b) = (of(1.0), of(0.5));
        let plain: f64 = (0..19).map(|i| (a[i] - b[i]).powi(2)).sum();
        assert!((squared_distance(&a, &b) - plain).abs() < 1e-12 * plain);
        let plain: f64 = (0..19).map(|i| a[i] * b[i]).sum();
        assert!((dot(&a, &b) - plain).abs() < 1e-12 * plain);
    }

    #[test]
    fn a_singular_matrix_reports_its_jitter_and_no_covariance_is_none() {
        let cholesky = Cholesky::new(&Array2::ones((3, 3))).unwrap();
        assert!(cholesky.jitter > 0.0 && cholesky.jitter <= 1e-4);
        assert!(Cholesky::new(&ndarray::array![[1.0, 2.0], [2.0, 1.0]]).is_none());
        assert!(Cholesky::new(&ndarray::array![[f64::NAN]]).is_none());
    }

    #[test]
    fn singular_values_rebuild_the_matrix_and_give_its_rank() {
        // Third column = first + second: rank 2, tall and wide.
        let tall = ndarray::array![[1.0, 2.0, 3.0], [0.0, 1.0, 1.0], [2.0, -1.0, 1.0], [1.0, 1.0, 2.0]];
        for matrix in [tall.clone(), tall.t().to_owned()] {
            let svd = Singular::new(&matrix, 1e-10);
            assert_eq!(svd.rank(), 2);
            let rebuilt = (&svd.left * &svd.values).dot(&svd.right.t());
            assert!((&rebuilt - &matrix).iter().all(|e| e.abs() < 1e-12));
        }
    }
}
