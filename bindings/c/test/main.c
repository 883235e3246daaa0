#include "check.h"

int main(void) {
  test_values();
  test_operations();
  test_watch();
  test_host_im();
  test_tokens();
  test_handles();
  test_close();
  test_threads();
  return 0;
}
