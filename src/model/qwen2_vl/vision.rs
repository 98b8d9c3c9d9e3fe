//! The vision tower: patches with 2-D rotary positions, attention over the whole picture, 2×2 merging.

use burn::tensor::{Device, Tensor, TensorData, activation::gelu};

use super::{
    super::{
        config::VisionConfig,
        image::PatchedImage,
        weights::{Source, WeightError},
    },
    layers::{LayerNorm, Linear, Rotary, Seen, Visitor, attend, matrix, swish},
};

/// Pictures in, one feature vector per merged patch out.
#[derive(Clone, Debug)]
pub(crate) struct VisionTower {
    patch_embed: Tensor<2>,
    blocks: Vec<Block>,
    merger: Merger,
    n_heads: usize,
    merge: usize,
    /// Base of the rotary frequencies.
    rope_theta: f32,
}

#[derive(Clone, Debug)]
struct Block {
    norm1: LayerNorm,
    norm2: LayerNorm,
    qkv: Linear,
    proj: Linear,
    fc1: Linear,
    fc2: Linear,
}

#[derive(Clone, Debug)]
struct Merger {
    ln_q: LayerNorm,
    mlp_0: Linear,
    mlp_2: Linear,
}

impl VisionTower {
    pub(crate) fn load(
        source: &mut dyn Source,
        path: &str,
        config: &VisionConfig,
        device: &Device,
    ) -> Result<Self, WeightError> {
        let size = config.embed_dim;
        let inner = size * config.mlp_ratio;
        let patch =
            [size, config.in_channels, config.temporal_patch_size, config.patch_size, config.patch_size];
        let patch_embed = matrix(source, &format!("{path}.patch_embed.proj.weight"), &patch, device)?;
        let blocks = (0..config.depth)
            .map(|i| {
                let path = format!("{path}.blocks.{i}");
                Ok(Block {
                    norm1: LayerNorm::load(source, &format!("{path}.norm1"), size, device)?,
                    norm2: LayerNorm::load(source, &format!("{path}.norm2"), size, device)?,
                    qkv: Linear::load(source, &format!("{path}.attn.qkv"), [3 * size, size], true, device)?,
                    proj: Linear::load(source, &format!("{path}.attn.proj"), [size, size], true, device)?,
                    fc1: Linear::load(source, &format!("{path}.mlp.fc1"), [inner, size], true, device)?,
                    fc2: Linear::load(source, &format!("{path}.mlp.fc2"), [size, inner], true, device)?,
                })
            })
            .collect::<Result<_, WeightError>>()?;
        let merged = size * config.spatial_merge_size.pow(2);
        let merger = Merger {
            ln_q: LayerNorm::load(source, &format!("{path}.merger.ln_q"), size, device)?,
            mlp_0: Linear::load(source, &format!("{path}.merger.mlp.0"), [merged, merged], true, device)?,
            mlp_2: Linear::load(
                source,
                &format!("{path}.merger.mlp.2"),
                [config.hidden_size, merged],
                true,
                device,
            )?,
        };
        let (n_heads, merge) = (config.num_heads, config.spatial_merge_size);
        Ok(Self { patch_embed, blocks, merger, n_heads, merge, rope_theta: config.rope_theta as f32 })
    }

    /// Features of pictures that all have the same grid: `[n_pictures * n_merged_patches, hidden]`.
    ///
    /// # Panics
    /// When the grids differ.
    pub(crate) fn forward(&self, pictures: &[&PatchedImage], device: &Device) -> Tensor<2> {
        let first = pictures.first().expect("there is at least one picture");
        assert!(pictures.iter().all(|p| p.grid == first.grid), "the pictures of a batch share their grid");
        let (n_pictures, n_patches) = (pictures.len(), first.n_patches);
        let mut patches = Vec::with_capacity(n_pictures * first.patches.len());
        for picture in pictures {
            patches.extend_from_slice(&picture.patches);
        }
        let patches = Tensor::<2>::from_data(
            TensorData::new(patches, [n_pictures * n_patches, first.patch_dim]),
            device,
        );
        let mut x = patches.matmul(self.patch_embed.clone().transpose());
        let size = x.dims()[1];
        let rotary = self.rotary(first.grid, n_pictures, size / self.n_heads, device);
        for block in &self.blocks {
            x = x.clone() + self.attend(block, block.norm1.forward(x), &rotary, n_pictures);
            // Quick GELU, as in the reference.
            let inner = swish(block.fc1.forward(block.norm2.forward(x.clone())), 1.702);
            x = x + block.fc2.forward(inner);
        }
        let merged = self.merge * self.merge;
        let x = self.merger.ln_q.forward(x).reshape([n_pictures * n_patches / merged, merged * size]);
        self.merger.mlp_2.forward(gelu(self.merger.mlp_0.forward(x)))
    }

    /// `x`: `[n_pictures * n_patches, size]`, to the same.
    fn attend(&self, block: &Block, x: Tensor<2>, rotary: &Rotary, n_pictures: usize) -> Tensor<2> {
        let [rows, size] = x.dims();
        let (n, heads, head) = (rows / n_pictures, self.n_heads, size / self.n_heads);
        let qkv = block.qkv.forward(x);
        let part = |i: usize| qkv.clone().narrow(1, i * size, size).reshape([rows, heads, head]);
        let by_head = |x: Tensor<3>| x.reshape([n_pictures, n, heads, head]).swap_dims(1, 2);
        let q_bhnd = by_head(rotary.query(part(0)));
        let part = Seen { key: by_head(rotary.key(part(1))), value: by_head(part(2)), bias: None };
        let out = attend(q_bhnd, vec![part]).swap_dims(1, 2).reshape([rows, size]);
        block.proj.forward(out)
    }

    /// Half of the frequencies turn with the row, half with the column; patches stand in merge groups.
    fn rotary(&self, [t, h, w]: [usize; 3], n_pictures: usize, head: usize, device: &Device) -> Rotary {
        let quarter = head / 4;
        let frequency = |j: usize| self.rope_theta.powf(-((2 * j) as f32) / (head / 2) as f32);
        let mut angles = Vec::with_capacity(n_pictures * t * h * w * 2 * quarter);
        let m = self.merge;
        for _ in 0..n_pictures * t {
            for (top, left) in (0..h / m).flat_map(|y| (0..w / m).map(move |x| (y * m, x * m))) {
                for (y, x) in (0..m).flat_map(|y| (0..m).map(move |x| (top + y, left + x))) {
                    angles.extend((0..quarter).map(|j| y as f32 * frequency(j)));
                    angles.extend((0..quarter).map(|j| x as f32 * frequency(j)));
                }
            }
        }
        Rotary::new(&angles, 2 * quarter, device)
    }

    pub(crate) fn visit(&mut self, path: &str, visitor: &mut dyn Visitor) {
        visitor.matrix(&format!("{path}.patch_embed.proj.weight"), &mut self.patch_embed);
        for (i, block) in self.blocks.iter_mut().enumerate() {
            let path = format!("{path}.blocks.{i}");
            block.norm1.visit(&format!("{path}.norm1"), visitor);
            block.norm2.visit(&format!("{path}.norm2"), visitor);
            block.qkv.visit(&format!("{path}.attn.qkv"), visitor);
            block.proj.visit(&format!("{path}.attn.proj"), visitor);
            block.fc1.visit(&format!("{path}.mlp.fc1"), visitor);
            block.fc2.visit(&format!("{path}.mlp.fc2"), visitor);
        }
        self.merger.ln_q.visit(&format!("{path}.merger.ln_q"), visitor);
        self.merger.mlp_0.visit(&format!("{path}.merger.mlp.0"), visitor);
        self.merger.mlp_2.visit(&format!("{path}.merger.mlp.2"), visitor);
    }
}
