// Stands in for libcudart.so.13, which the binding of the driver API wants to be there: nothing of it is called.
extern "C" __attribute__((visibility("default"))) int cudaDriverGetVersion(int* version) {
  *version = 13000;
  return 0;
}
