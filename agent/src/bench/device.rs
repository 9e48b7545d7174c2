//! An opened adapter: buffers, kernels, and how long a piece of work takes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use wgpu::{BufferUsages, Features};

use super::TimedBy;
use super::message::Failure;

/// No single submission is meant to take longer than a second; one that takes this long hangs.
const SUBMISSION_TIMEOUT: Duration = Duration::from_secs(20);

/// Half as long as the wall clock says, or longer than it: a device clock that cannot be believed.
const BELIEVABLE: std::ops::RangeInclusive<f64> = 0.5..=1.02;
/// Below this, the wall clock measures the submission more than the work.
const WALL_CLOCK_FROM: Duration = Duration::from_millis(10);

pub(super) struct Device {
    device: wgpu::Device,
    queue: wgpu::Queue,
    clock: Option<DeviceClock>,
    errors: Arc<Mutex<Option<String>>>,
}

struct DeviceClock {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    readable: wgpu::Buffer,
    nanoseconds_per_tick: f64,
}

/// A kernel with its buffers, and how much of it to run.
pub(super) struct Work {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) buffers: wgpu::BindGroup,
    pub(super) groups: (u32, u32),
}

impl Device {
    /// Opens the adapter with everything that it offers.
    pub(super) fn open(adapter: &wgpu::Adapter) -> Result<Self, Failure> {
        let clock_feature = adapter.features() & Features::TIMESTAMP_QUERY;
        let descriptor = wgpu::DeviceDescriptor {
            required_features: clock_feature,
            required_limits: adapter.limits(),
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .now_or_never()
            .ok_or_else(|| Failure::Driver("opening the adapter did not finish".into()))?
            .map_err(|error| Failure::Driver(error.to_string()))?;
        let errors = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&errors);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            keep.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert(error.to_string());
        }));
        let mut opened = Self {
            device,
            queue,
            clock: None,
            errors,
        };
        if !clock_feature.is_empty() {
            opened.clock = Some(opened.device_clock()?);
        }
        opened.no_error()?;
        Ok(opened)
    }

    fn device_clock(&self) -> Result<DeviceClock, Failure> {
        Ok(DeviceClock {
            queries: self.device.create_query_set(&wgpu::QuerySetDescriptor {
                label: None,
                ty: wgpu::QueryType::Timestamp,
                count: 2,
            }),
            resolved: self.buffer(16, BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC)?,
            readable: self.buffer(16, BufferUsages::MAP_READ | BufferUsages::COPY_DST)?,
            nanoseconds_per_tick: f64::from(self.queue.get_timestamp_period()),
        })
    }

    pub(super) fn limits(&self) -> wgpu::Limits {
        self.device.limits()
    }

    /// A buffer on the device; [`Failure::OutOfMemory`] when there is no room.
    pub(super) fn buffer(&self, bytes: u64, usage: BufferUsages) -> Result<wgpu::Buffer, Failure> {
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let descriptor = wgpu::BufferDescriptor {
            label: None,
            size: bytes,
            usage,
            mapped_at_creation: false,
        };
        let buffer = self.device.create_buffer(&descriptor);
        match scope.pop().now_or_never().flatten() {
            None => Ok(buffer),
            Some(_) => Err(Failure::OutOfMemory),
        }
    }

    /// A small buffer with one number in it, for a kernel's settings.
    pub(super) fn uniform(&self, value: u32) -> Result<wgpu::Buffer, Failure> {
        let buffer = self.buffer(16, BufferUsages::UNIFORM | BufferUsages::COPY_DST)?;
        self.queue.write_buffer(&buffer, 0, &value.to_le_bytes());
        Ok(buffer)
    }

    /// A kernel, ready to run on these buffers, in the order of their bindings.
    pub(super) fn work(
        &self,
        source: &str,
        entry: &str,
        buffers: &[&wgpu::Buffer],
        groups: (u32, u32),
    ) -> Result<Work, Failure> {
        let module = self
            .device
            .create_shader_module(wgpu::ShaderModuleDescriptor {
                label: None,
                source: wgpu::ShaderSource::Wgsl(source.into()),
            });
        let pipeline = self
            .device
            .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: None,
                layout: None,
                module: &module,
                entry_point: Some(entry),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            });
        self.no_error()?;
        let entries: Vec<_> = (0..)
            .zip(buffers)
            .map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        let buffers = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        self.no_error()?;
        Ok(Work {
            pipeline,
            buffers,
            groups,
        })
    }

    /// Runs the work `times` times over and tells how long all of it took, and by whose clock.
    pub(super) fn run(&self, work: &Work, times: u32) -> Result<(Duration, TimedBy), Failure> {
        let mut encoder = self
            .device
            .create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let timestamp_writes =
                self.clock
                    .as_ref()
                    .map(|clock| wgpu::ComputePassTimestampWrites {
                        query_set: &clock.queries,
                        beginning_of_pass_write_index: Some(0),
                        end_of_pass_write_index: Some(1),
                    });
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: None,
                timestamp_writes,
            });
            pass.set_pipeline(&work.pipeline);
            pass.set_bind_group(0, &work.buffers, &[]);
            for _ in 0..times {
                pass.dispatch_workgroups(work.groups.0, work.groups.1, 1);
            }
        }
        if let Some(clock) = &self.clock {
            encoder.resolve_query_set(&clock.queries, 0..2, &clock.resolved, 0);
            encoder.copy_buffer_to_buffer(&clock.resolved, 0, &clock.readable, 0, 16);
        }
        let commands = encoder.finish();
        let start = Instant::now();
        self.submit_and_wait(commands)?;
        let wall = start.elapsed();
        Ok(match self.ticks()? {
            Some(device) if believable(device, wall) => (device, TimedBy::Device),
            _ => (wall, TimedBy::WallClock),
        })
    }

    fn ticks(&self) -> Result<Option<Duration>, Failure> {
        let Some(clock) = &self.clock else {
            return Ok(None);
        };
        let bytes = self.map(&clock.readable)?;
        let tick = |at: usize| {
            bytes
                .get(at..at + 8)
                .and_then(|eight| eight.try_into().ok())
                .map_or(0, u64::from_le_bytes)
        };
        let nanoseconds = tick(8).saturating_sub(tick(0)) as f64 * clock.nanoseconds_per_tick;
        Ok(Some(Duration::from_nanos(nanoseconds as u64)))
    }

    /// Fills a buffer with zeros, so that a kernel that does nothing leaves nothing that looks like a result.
    pub(super) fn clear(&self, buffer: &wgpu::Buffer) -> Result<(), Failure> {
        let mut encoder = self
            .device
            .create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.clear_buffer(buffer, 0, None);
        self.submit_and_wait(encoder.finish())
    }

    /// Reads single numbers out of a buffer.
    pub(super) fn read(&self, buffer: &wgpu::Buffer, places: &[u64]) -> Result<Vec<f32>, Failure> {
        let bytes = places.len() as u64 * 4;
        let readable = self.buffer(bytes, BufferUsages::MAP_READ | BufferUsages::COPY_DST)?;
        let mut encoder = self
            .device
            .create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        for (to, place) in (0..).step_by(4).zip(places) {
            encoder.copy_buffer_to_buffer(buffer, place * 4, &readable, to, 4);
        }
        self.submit_and_wait(encoder.finish())?;
        let bytes = self.map(&readable)?;
        Ok(bytes
            .chunks_exact(4)
            .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
            .collect())
    }

    fn map(&self, buffer: &wgpu::Buffer) -> Result<Vec<u8>, Failure> {
        let answer = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&answer);
        buffer.map_async(wgpu::MapMode::Read, .., move |result| {
            *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        });
        self.wait(None)?;
        let mapped = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        match mapped {
            Some(Ok(())) => {}
            Some(Err(error)) => return Err(Failure::Driver(error.to_string())),
            None => return Err(Failure::Driver("a buffer could not be read in time".into())),
        }
        let bytes = buffer
            .get_mapped_range(..)
            .map_err(|error| Failure::Driver(error.to_string()))?
            .to_vec();
        buffer.unmap();
        Ok(bytes)
    }

    fn submit_and_wait(&self, commands: wgpu::CommandBuffer) -> Result<(), Failure> {
        let submission = self.queue.submit([commands]);
        self.wait(Some(submission))
    }

    fn wait(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<(), Failure> {
        let poll = wgpu::PollType::Wait {
            submission_index,
            timeout: Some(SUBMISSION_TIMEOUT),
        };
        self.device
            .poll(poll)
            .map_err(|error| Failure::Driver(error.to_string()))?;
        self.no_error()
    }

    fn no_error(&self) -> Result<(), Failure> {
        match self
            .errors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            None => Ok(()),
            Some(error) => Err(Failure::Driver(error)),
        }
    }
}

fn believable(device: Duration, wall: Duration) -> bool {
    let share = device.as_secs_f64() / wall.as_secs_f64();
    if wall < WALL_CLOCK_FROM {
        device > Duration::ZERO && device <= wall
    } else {
        BELIEVABLE.contains(&share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_clock_that_contradicts_the_wall_clock_is_not_believed() {
        let ms = Duration::from_millis;
        assert!(believable(ms(95), ms(100)));
        assert!(!believable(ms(30), ms(100)), "faster than can be");
        assert!(!believable(ms(110), ms(100)), "longer than it took");
        assert!(
            believable(ms(1), ms(5)),
            "most of a short time is the submission"
        );
        assert!(!believable(ms(0), ms(5)));
    }
}
